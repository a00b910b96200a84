"""What the tests of this folder start from."""

from datetime import datetime
from typing import Any

from loyaltyflow.store.models import Customer
from messaging import outbox
from messaging.emails import Category
from messaging.models import Campaign, EmailTemplate, Message
from tests import factories

BODY = """<mjml><mj-body><mj-section><mj-column>
<mj-text>Hello {content}</mj-text>
<mj-button href="https://shop.example.com/new?who={{{{ customer.name | default: "you" }}}}">Shop</mj-button>
</mj-column></mj-section></mj-body></mjml>"""


def template(content: str = "there", **fields: Any) -> EmailTemplate:
    known = {"name": f"Template {EmailTemplate.objects.count()}", "subject": "News", **fields}
    return EmailTemplate.objects.create(**{"body": BODY.format(content=content), **known})


def service(content: str = "there", **fields: Any) -> EmailTemplate:
    return template(content, category=Category.SERVICE, **fields)


def post(to: EmailTemplate, now: datetime, *customers: Customer, visit: int = 1, **values: Any) -> int:
    """Post one message to each of the customers."""
    campaign = Campaign.objects.get_or_create(name="News")[0]
    return outbox.post(
        Customer.objects.filter(pk__in=[each.pk for each in customers]),
        campaign=campaign,
        template=to,
        origin=f"test:{visit}",
        customer="pk",
        visit="pk",
        due_at=now,
        values=values,
    )


def fan(now: datetime, **fields: Any) -> Customer:
    """A customer who has opted in."""
    who = factories.customer(**fields)
    factories.consent(who, now)
    return who


def message(**fields: Any) -> Message:
    return Message.objects.get(**fields)
