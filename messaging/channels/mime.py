from dataclasses import dataclass
from email.utils import formataddr

from django.core.mail import EmailMultiAlternatives

from loyaltyflow.store.models import StoreSettings

from ..emails import Category
from ..messages import Claimed
from ..render import SPACES, Rendered


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every e-mail of the store has in common."""

    sender: str
    host: str

    @classmethod
    def of(cls, store: StoreSettings) -> "Envelope":
        """The store's sender, with its name as customers see it."""
        name = (store.sender_name or store.name).translate(SPACES)
        return cls(formataddr((name, store.sender_email)), store.sender_email.rpartition("@")[2])


class PersonalEmail(EmailMultiAlternatives):
    """One customer's e-mail, with text and HTML, and the headers that let inboxes unsubscribe with one click."""

    def __init__(self, envelope: Envelope, message: Claimed, content: Rendered) -> None:
        self.number = message.id
        # The same message sent again has the same id, so that a mail server can tell.
        self.message_id = f"<{message.id}.{message.origin.replace(':', '-')}.{message.visit}@{envelope.host}>"
        headers = {"Message-ID": self.message_id, "Auto-Submitted": "auto-generated"}
        if message.category == Category.MARKETING:
            headers["List-Unsubscribe"] = f"<{content.unsubscribe}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        super().__init__(content.subject, content.text, envelope.sender, [message.address], headers=headers)
        self.attach_alternative(content.html, "text/html")
