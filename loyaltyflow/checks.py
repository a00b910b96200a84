"""What `manage.py check` says about an installation, each with what to do."""

from collections.abc import Sequence
from typing import Any, cast

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

OLDEST_POSTGRESQL = 15


@register(Tags.database)
def postgresql_is_new_enough(*, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """An error for each database server older than the ones LoyaltyFlow is tested on."""
    return [
        Error(
            f"The database {alias!r} runs on PostgreSQL {found // 10_000}, and LoyaltyFlow needs {OLDEST_POSTGRESQL}.",
            hint="Upgrade the server, or set DATABASE_URL to a newer one.",
            id="loyaltyflow.E001",
        )
        for alias in databases or []
        if (found := cast(DatabaseWrapper, connections[alias]).pg_version) < OLDEST_POSTGRESQL * 10_000
    ]


@register(deploy=True)
def mail_leaves_the_house(**kwargs: Any) -> list[CheckMessage]:
    """A warning while e-mail to customers is only written to files."""
    if settings.EMAIL_BACKEND != "messaging.channels.mailbox.EmailBackend":
        return []
    return [
        Warning(
            f"E-mail to customers is not sent: each message becomes a file in {settings.EMAIL_FILE_PATH}.",
            hint="Set EMAIL_URL, such as smtp+tls://user:password@smtp.example.com:587.",
            id="loyaltyflow.W001",
        )
    ]
