"""What a template or a message looks like, shown to staff where nothing in it can run or count."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape

from django.http import HttpResponse
from django.utils import timezone

from loyaltyflow.store.models import Customer, StoreSettings

from .channels.mailbox import file_of
from .emails import EmailTemplate
from .messages import Message
from .render import CompiledTemplate, NotRendered, Rendered, compiled, render, rows_of, values_of, variables
from .tokens import token

NOWHERE = {"click": "#", "open": "data:,", "unsubscribe": "#"}
POLICY = "sandbox; default-src 'none'; img-src https: data:; style-src 'unsafe-inline'; frame-ancestors 'self'"
NOTE = "<p style='font:14px/20px sans-serif;padding:16px;margin:0'>{}</p>"


def page(html: str) -> HttpResponse:
    """The HTML as a page for a frame: no script runs in it, and no form or link leads out of it."""
    return HttpResponse(html, headers={"Content-Security-Policy": POLICY, "X-Frame-Options": "SAMEORIGIN"})


def of_template(template: EmailTemplate) -> str:
    """The template's HTML filled in for a customer of the store, or a sentence that says why it cannot be."""
    customer = Customer.objects.exclude(first_name="").order_by("pk").first() or Customer.objects.first()
    if customer is None:
        return NOTE.format("The preview stands here as soon as the store has a customer.")
    part = compiled(template.pk, template.updated_at)
    return _shown(part, customer.pk, _own_values(template, part))


def of_message(message: Message) -> str:
    """The HTML that the customer got, from the mailbox folder; elsewhere as the template reads today."""
    if parts := mail_of(message):
        body = parts.get_body(("html", "plain"))
        return harmless(body.get_content(), message) if body else ""
    part = compiled(message.template_id, message.template.updated_at)
    return _shown(part, message.customer_id, message.values)


def harmless(html: str, message: Message) -> str:
    """The HTML with its pixel and links leading nowhere, so that staff who look do not count as the customer."""
    mark = rf'"[^"]*{re.escape(token(message.pk))}[^"]*"'
    return re.sub(mark, '"#"', re.sub(rf"src={mark}", f'src="{NOWHERE["open"]}"', html))


def mail_of(message: Message) -> EmailMessage | None:
    """The message as it lies in the mailbox folder, if it does."""
    file = file_of(message.pk)
    return message_from_bytes(file.read_bytes(), policy=policy.default) if file.exists() else None


def sample(template: EmailTemplate) -> Rendered | None:
    """The template filled in for a customer of the store; None if it cannot be."""
    customer = Customer.objects.exclude(first_name="").order_by("pk").first()
    part = compiled(template.pk, template.updated_at)
    try:
        return _filled_in(part, customer.pk, _own_values(template, part)) if customer else None
    except NotRendered:
        return None


def _shown(part: CompiledTemplate, customer: int, own: dict[str, object]) -> str:
    try:
        return _filled_in(part, customer, own).html
    except NotRendered as error:
        return NOTE.format(escape(str(error)))


def _filled_in(part: CompiledTemplate, customer: int, own: dict[str, object]) -> Rendered:
    now = StoreSettings.load().local(timezone.now())
    rows = rows_of([part], [own], now)
    return render(part, variables(values_of([part], [customer], now), customer, own, NOWHERE, rows))


def _own_values(template: EmailTemplate, part: CompiledTemplate) -> dict[str, object]:
    """What the last message of the template was given; before the first, each value's name stands for it."""
    latest = Message.objects.filter(template=template).order_by("-pk").values_list("values", flat=True).first()
    if latest:
        return dict(latest)
    used = [name for each in (part.subject, part.html, part.text) for name in each.analyze().globals.get("message", [])]
    return {str(name.segments[1]): f"[{name.segments[1]}]" for name in used}
