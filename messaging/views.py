"""What customers reach from an e-mail: the open pixel, tracked links, and unsubscribing."""

from base64 import b64decode
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from loyaltyflow.store.events import happened
from loyaltyflow.store.models import Consent, Customer, StoreSettings

from .models import Engagement, Link, Message
from .render import address_of
from .tokens import message_of

PIXEL = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
TOO_SOON = timedelta(seconds=2)
SCANNERS = (
    "barracuda",
    "bot",
    "crawler",
    "google-safety",
    "mimecast",
    "ms-office",
    "msoffice",
    "preview",
    "proofpoint",
    "python-",
    "safelinks",
    "scan",
    "spider",
    "symantec",
    "trendmicro",
    "urldefense",
    "curl/",
    "wget/",
)


def of_message(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The view, given the message that its token was made for; a page with status 404 if we made no such token."""

    @wraps(view)
    def inner(request: HttpRequest, token: str, **rest: int) -> HttpResponse:
        number = message_of(token)
        message = Message.objects.filter(pk=number).first() if number is not None else None
        if message is None:
            return unknown(request)
        return view(request, message, **rest)

    return inner


@csrf_exempt
def unknown(request: HttpRequest, rest: str = "") -> HttpResponse:
    """A page for customers whose link is not one of ours, or was cut on its way."""
    return render(request, "messaging/unknown_link.html", {"store": StoreSettings.load()}, status=404)


@never_cache
@require_safe
@of_message
def opened(request: HttpRequest, message: Message) -> HttpResponse:
    """A transparent pixel; seeing it is an open."""
    if request.method == "GET":
        _record(request, message, Engagement.Kind.OPEN, _is_proxy)
    return HttpResponse(PIXEL, content_type="image/gif")


@never_cache
@require_safe
@of_message
def clicked(request: HttpRequest, message: Message, link: int) -> HttpResponse:
    """The way to the address that the template's author wrote, and no other."""
    target = get_object_or_404(Link, pk=link, template=message.template_id)
    if request.method == "GET":
        _record(request, message, Engagement.Kind.CLICK, _is_too_soon, target)
    return HttpResponseRedirect(address_of(target, message, timezone.now()))


@csrf_exempt  # The token is the proof; inboxes post here with no cookie (RFC 8058).
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@of_message
def unsubscribe(request: HttpRequest, message: Message) -> HttpResponse:
    """A page that asks; only its button, or the inbox's own, changes anything."""
    if request.method == "POST":
        opt_out(message, timezone.now(), request.POST.get("List-Unsubscribe") == "One-Click")
    context = {"store": StoreSettings.load(), "done": request.method == "POST", "address": _masked(message.address)}
    return render(request, "messaging/unsubscribe.html", context)


def opt_out(message: Message, now: datetime, one_click: bool) -> bool:
    """Whether this was news: the message's customer opted out of its channel, with consent row, act and event."""
    source = "one-click unsubscribe" if one_click else "unsubscribe link"
    with transaction.atomic():
        customer = Customer.objects.select_for_update().only("pk").get(pk=message.customer_id)
        words = Consent.objects.filter(customer=customer, channel=message.channel).order_by("-given_at", "-pk")
        latest = words.first()
        if latest and latest.status == Consent.Status.OPTED_OUT:
            return False
        at = max(now, latest.given_at) if latest else now  # the last word, even if another host's clock is ahead
        word = Consent.objects.create(
            customer=customer,
            channel=message.channel,
            status=Consent.Status.OPTED_OUT,
            source=source,
            proof=f"Message {message.pk} to {message.address}",
            given_at=at,
        )
        Engagement.record([Engagement(message=message, kind=Engagement.Kind.UNSUBSCRIBE, at=at)])
        key = f"unsubscribed:{word.pk}"
        happened("unsubscribed", customer.pk, at, key, "messaging", message=message.pk, channel=message.channel)
    return True


Asker = Callable[[str, Message, datetime], bool]


def _record(request: HttpRequest, message: Message, kind: str, is_machine: Asker, link: Link | None = None) -> None:
    """Write down what somebody did, and whether it was a mail scanner, as its name or what is usual for it tells."""
    now, agent = timezone.now(), request.headers.get("User-Agent", "").lower()
    is_scanner = not agent or any(name in agent for name in SCANNERS)
    machine = is_scanner or is_machine(agent, message, now)
    Engagement.record([Engagement(message=message, kind=kind, at=now, link=link, is_machine=machine)])


def _is_proxy(agent: str, message: Message, now: datetime) -> bool:
    """Whether a privacy proxy fetched the picture: Apple's says no more of itself than that."""
    return agent == "mozilla/5.0"


def _is_too_soon(agent: str, message: Message, now: datetime) -> bool:
    """Whether the link was followed faster than people do."""
    left_at = message.sent_at or message.claimed_at
    return left_at is not None and timedelta(0) <= now - left_at < TOO_SOON


def _masked(address: str) -> str:
    """The address with most of its name hidden: the page may be forwarded."""
    name, at, host = address.partition("@")
    return f"{name[:1]}…{at}{host}" if at else ""
