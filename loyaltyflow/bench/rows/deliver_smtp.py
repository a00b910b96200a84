from typing import Any

from django.core.mail import EmailMultiAlternatives, get_connection
from django.test.utils import override_settings

from loyaltyflow.bench.dataset import NOW, answer, execute, forget_other_facts
from loyaltyflow.bench.mail import template
from loyaltyflow.bench.sink import Sink
from loyaltyflow.store.models import StoreSettings
from messaging import outbox
from messaging.channels.mime import Envelope
from messaging.models import Campaign
from messaging.render import Rendered, links, render, templates, values_of, variables

from .base import Row

MESSAGES = """
INSERT INTO messaging_message (campaign_id, customer_id, template_id, channel, category, origin, visit, due_at)
SELECT %(campaign)s, id, %(template)s, 'email', 'marketing', 'bench', id, %(now)s FROM store_customer
WHERE id %% 10 <> 0 ORDER BY id LIMIT %(messages)s
"""


class DeliverSmtp(Row):
    """E-mail to a local server on a kept connection: bare building and sending, and the whole way of the outbox."""

    name = "deliver.smtp"
    target = 0.5
    unit = "e-mails"

    def prepare(self) -> None:
        self.sink = Sink()
        self.settings = override_settings(
            EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=self.sink.port,
            EMAIL_HOST_USER="",
            EMAIL_HOST_PASSWORD="",
            EMAIL_USE_TLS=False,
            EMAIL_USE_SSL=False,
        )
        self.settings.enable()
        self.template = template()
        self.campaign = Campaign.objects.create(name="Bench: deliver")
        self.messages = max(100, min(3_000, self.data.scale // 50))
        self.reset("floor")
        self.emails = self._emails()

    def _emails(self) -> list[tuple[dict[str, Any], str]]:
        """What the product will say in each message: the e-mail's text and headers, and its HTML."""
        part = templates([self.template.pk])[self.template.pk]
        rows = answer("SELECT m.id, c.id, c.email FROM messaging_message m JOIN store_customer c ON c.id = customer_id")
        values = values_of([part], [customer for _, customer, _ in rows], NOW)
        sender = Envelope.of(StoreSettings.load()).sender
        return [
            _email(number, customer, email, sender, render(part, variables(values, customer, {}, links(number))))
            for number, customer, email in rows
        ]

    def reset(self, side: str) -> None:
        execute("TRUNCATE messaging_message RESTART IDENTITY CASCADE")
        forget_other_facts()
        known = {"campaign": self.campaign.pk, "template": self.template.pk, "now": NOW, "messages": self.messages}
        execute(MESSAGES, known)
        execute("VACUUM ANALYZE messaging_message")
        self.side = side

    def floor(self) -> int:
        with get_connection() as connection:
            for known, html in self.emails:
                email = EmailMultiAlternatives(**known)
                email.attach_alternative(html, "text/html")
                connection.send_messages([email])
        return len(self.emails)

    def product(self) -> int:
        return outbox.deliver(NOW)["sent"]

    def effects(self) -> dict[str, Any]:
        """What the server received; and that the product wrote down each message, with its event."""
        if self.side == "product":
            recorded = answer("SELECT count(*) FROM messaging_message WHERE status = 'sent' AND sent_at IS NOT NULL")
            told = answer("SELECT count(*) FROM store_event WHERE name = 'message_sent'")
            if recorded != told or recorded != [(self.messages,)]:
                raise AssertionError(f"Of {self.messages} messages {recorded} were recorded, with {told} events.")
        messages, size = self.sink.received()
        return {"received": messages, "bytes": size}

    def close(self) -> None:
        if hasattr(self, "settings"):
            self.settings.disable()
            self.sink.stop()


def _email(number: int, customer: int, address: str, sender: str, content: Rendered) -> tuple[dict[str, Any], str]:
    headers = {
        "Message-ID": f"<{number}.bench.{customer}@example.com>",
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<{content.unsubscribe}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    email = {"subject": content.subject, "body": content.text, "from_email": sender, "to": [address]}
    return email | {"headers": headers}, content.html
