"""Who may send us facts: systems that show an API key."""

import hmac

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from loyaltyflow import planned
from loyaltyflow.audit import telling
from loyaltyflow.models import ApiKey


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`."""

    def authenticate(self, request: Request) -> tuple[ApiKey, ApiKey] | None:
        """The key that the request shows, twice; None without the header. A key that is not good is refused."""
        words = get_authorization_header(request).decode("latin-1").split()
        if not words:
            return None
        if len(words) != 2 or words[0].lower() != "bearer":
            raise AuthenticationFailed("Send the header as: Authorization: Bearer <your API key>.")
        key = planned.first(ApiKey, "prefix = %s", [words[1][:11].replace("\0", "")])
        if key is None or not hmac.compare_digest(key.digest, ApiKey.digest_of(words[1])):
            raise AuthenticationFailed("This API key is not known. Copy it again, or make a new one under API keys.")
        if key.revoked_at:
            raise AuthenticationFailed("This API key has been revoked. Make a new one under API keys.")
        telling.by_key(key.name)
        key.touch(timezone.now())
        return key, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasScope(BasePermission):
    """The key may send this kind of facts."""

    def has_permission(self, request: Request, view: object) -> bool:
        scope = ApiKey.Scope(getattr(view, "scope", ""))
        self.message = f"This API key may not send {scope.label.lower()}. Add the scope to the key under API keys."
        return isinstance(request.auth, ApiKey) and scope in request.auth.scopes
