from collections.abc import Iterator
from contextlib import contextmanager, suppress
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException, SMTPServerDisconnected
from ssl import SSLError

from anymail.exceptions import AnymailAPIError, AnymailError  # type: ignore[import-untyped]
from django.core.exceptions import ValidationError
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.validators import validate_email

from loyaltyflow.store.models import Channel as Name
from loyaltyflow.store.models import StoreSettings

from ..messages import Message, Outcome
from .base import Channel, Outgoing, Unreachable
from .mime import Envelope, PersonalEmail

SERVICE_CLOSING = "421 "


class Email(Channel):
    """E-mail through any Django backend: SMTP, the mailbox folder, or a provider's own."""

    name = Name.EMAIL
    address = "customer__email"

    def is_address(self, text: str) -> bool:
        try:
            validate_email(text)
            text.rpartition("@")[2].encode("idna")  # what mail servers are asked for
        except (ValidationError, UnicodeError):
            return False
        return True

    @contextmanager
    def connect(self) -> Iterator["EmailConnection"]:
        connection = EmailConnection(self.store)
        try:
            yield connection
        finally:
            connection.close()


class EmailConnection:
    """One connection to the mail server, opened at the first message and again after it broke."""

    def __init__(self, store: StoreSettings) -> None:
        self.backend: BaseEmailBackend = get_connection()
        self.envelope = Envelope.of(store)
        self.is_open = False

    def close(self) -> None:
        with suppress(SMTPException, OSError):  # If it is gone already, every outcome is known all the same.
            self.backend.close()
        self.is_open = False

    def send(self, outgoing: Outgoing) -> Outcome:
        """Sent, failed with the provider's words, or uncertain if the line broke; raises Unreachable."""
        self._open()
        email = PersonalEmail(self.envelope, outgoing.message, outgoing.content)
        number, subject = outgoing.message.id, outgoing.content.subject
        try:
            self.backend.send_messages([email])
        except (SMTPServerDisconnected, SSLError, TimeoutError, ConnectionError) as error:
            self.close()
            return Outcome(number, Message.Status.UNCERTAIN, detail=f"The line broke: {error}", subject=subject)
        except AnymailAPIError as error:
            lost = error.status_code is None
            status = Message.Status.UNCERTAIN if lost else Message.Status.FAILED
            return Outcome(number, status, detail=str(error), subject=subject)
        except ValueError as error:  # It cannot be written as an e-mail, so nothing was handed over.
            self.close()
            return Outcome(number, Message.Status.FAILED, detail=str(error), subject=subject)
        except (SMTPException, AnymailError) as error:
            words = _words(error)
            if words.startswith(SERVICE_CLOSING):
                self.close()
            return Outcome(number, Message.Status.FAILED, detail=words, subject=subject)
        return Outcome(number, Message.Status.SENT, subject=subject, provider_id=_provider_id(email))

    def _open(self) -> None:
        if self.is_open:
            return
        try:
            self.backend.open()
        except (SMTPException, OSError) as error:
            raise Unreachable(_words(error)) from error
        self.is_open = True


def _words(error: Exception) -> str:
    """What the server said, with its code."""
    if isinstance(error, SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return f"{code} {_text(said)}"
    if isinstance(error, SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return str(error)


def _text(said: bytes | str) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else said


def _provider_id(email: PersonalEmail) -> str:
    status = getattr(email, "anymail_status", None)
    return str(getattr(status, "message_id", None) or email.message_id)[:200]
