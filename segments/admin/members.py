"""Who is in a segment: listed, searched, exported, put in and taken out."""

from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Page
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import slugify
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminFileFieldWidget

from loyaltyflow.audit.files import csv_file
from loyaltyflow.store import sheets
from loyaltyflow.store.admin.base import QuickPaginator
from loyaltyflow.store.intake import Context
from loyaltyflow.store.intake.files import CannotBeRead
from loyaltyflow.store.models import Customer, StoreSettings
from loyaltyflow.store.people import known_as
from loyaltyflow.store.templatetags.figures import count

from .. import by_hand, lists
from ..memberships import MembershipQuerySet
from ..models import Membership, Segment, Upload
from .paths import page_of

SHOWN = 25
FOUND = 10
FETCHED = 2_000  # rows of an export that are in memory at once
FEW = 5_000  # customers whom a search finds: so many are named, of more one is soon met among the newest members


class ListForm(forms.Form):
    """A file that names customers."""

    file = forms.FileField(widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.txt,text/csv"}))


def paths(segments: ModelAdmin) -> list[URLPattern]:
    """What stands at addresses of its own."""
    return [
        page_of(segments, "members.csv", export, "export"),
        page_of(segments, "members/", move, "members", may="change"),
        page_of(segments, "upload/", upload, "upload", may="change"),
        page_of(segments, "upload/<int:number>/rejected.csv", rejected, "rejected"),
    ]


def listed(request: HttpRequest, segment: Segment) -> dict[str, Any]:
    """A page of the members, those who came last first, as the address asks for them."""
    wanted = _text(request, "member")
    stays = segment.memberships.open().select_related("customer").order_by("-joined_at", "-pk")
    if wanted:
        stays = _of(stays, known_as(wanted, StoreSettings.load(), timezone.now()))
    number = request.GET.get("members", "")
    pages = QuickPaginator(stays, SHOWN)
    wanted_page = int(number) if number.isdecimal() and len(number) < 9 else 1
    page: Page[Membership] = pages.page(max(wanted_page, 1))
    first = (page.number - 1) * SHOWN + 1
    return {
        "wanted_member": wanted,
        "stays": list(page.object_list),
        "first": first,
        "last": first + len(page.object_list) - 1,
        "found": pages.count,
        "found_many": pages.is_long,
        "newer": page.number - 1,
        "older": page.number + 1
        if len(page.object_list) == SHOWN and first + SHOWN <= pages.count + pages.is_long
        else 0,
    }


def _of(stays: MembershipQuerySet, people: QuerySet[Customer]) -> MembershipQuerySet:
    """The stays of the people. Whoever they are, PostgreSQL does not look at each of a million members."""
    few = list(people.order_by().values_list("pk", flat=True)[: FEW + 1])
    return stays.filter(customer__any=few) if len(few) <= FEW else stays.filter(customer__in=people)


def candidates(request: HttpRequest, segment: Segment) -> dict[str, Any]:
    """The customers whom staff look for to put them in, each with whether they are in already."""
    wanted = _text(request, "find")
    people = list(known_as(wanted, StoreSettings.load(), timezone.now()).order_by("last_name", "pk")[: FOUND + 1])
    inside = set(
        segment.memberships.open().filter(customer__any=[who.pk for who in people]).values_list("customer", flat=True)
    )
    return {
        "wanted_person": wanted,
        "people": [{"who": who, "is_in": who.pk in inside} for who in people[:FOUND]],
        "more_people": len(people) > FOUND,
        "list_form": ListForm(),
        "uploads": segment.uploads.select_related("by")[:5],
    }


def export(segments: ModelAdmin, request: HttpRequest, segment: Segment) -> HttpResponseBase:
    """All members as a CSV file, sent while it is read."""
    _must_see_customers(request)
    stays = segment.memberships.open().order_by("-joined_at", "-pk")
    name = f"{slugify(segment.name) or 'segment'}-{timezone.now():%Y-%m-%d}"
    what = f"Members of {segment}"
    return csv_file(_rows(stays), name, label="segments.segment", what=what, rows=stays.count())


def _rows(stays: QuerySet[Membership]) -> Iterator[str]:
    zone = StoreSettings.load().zone
    columns = ("customer__email", "customer__phone", "customer__first_name", "customer__last_name", "joined_at")
    yield sheets.line(["email", "phone", "first_name", "last_name", "joined_at"])
    for *words, joined_at in stays.values_list(*columns).iterator(chunk_size=FETCHED):
        yield sheets.line([*words, joined_at.astimezone(zone).isoformat(timespec="seconds")])


def move(segments: ModelAdmin, request: HttpRequest, segment: Segment) -> HttpResponseBase:
    """Put one customer in, or take one out, and go back to where that was asked for."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    _must_see_customers(request)
    number = request.POST.get("customer", "")
    people = Customer.objects.filter(pk=int(number) if number.isdecimal() and len(number) < 19 else 0)
    who = people.first()
    if who is None:
        raise Http404("No such customer.")
    takes_out = request.POST.get("way") == "out"
    change = by_hand.take_out if takes_out else by_hand.put_in
    try:
        moved = change(segment, people, timezone.now(), by=str(request.user))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        told = (
            ("was taken out of" if moved else "was not in")
            if takes_out
            else ("is now in" if moved else "was in already:")
        )
        messages.success(request, f"{who} {told} “{segment}”.")
    return HttpResponseRedirect(_back(request, segment))


def upload(segments: ModelAdmin, request: HttpRequest, segment: Segment) -> HttpResponseBase:
    """Put in those whom a file names, or take them out, and say what became of its rows."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    _must_see_customers(request)
    file = request.FILES.get("file")
    if file is None:
        messages.error(request, "No file was chosen. Choose a CSV file first.")
        return HttpResponseRedirect(_back(request, segment))
    context = Context.of(StoreSettings.load(), timezone.now(), "upload")
    try:
        done = lists.take(
            segment,
            cast(BinaryIO, file.file),
            file.name or "",
            context,
            cast(User, request.user),
            takes_out=request.POST.get("way") == "out",
        )
    except CannotBeRead as error:
        messages.error(request, str(error))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        (messages.warning if done.rejected else messages.success)(request, _told(segment, done))
    return HttpResponseRedirect(_back(request, segment))


def _told(segment: Segment, done: Upload) -> str:
    out = done.takes_out
    words = [f"{count(done.moved)} {'taken out' if out else 'added'}"]
    words.append(f"{count(done.unchanged)} {'were not in' if out else 'were in already'}")
    said = f"{done.file_name}: {', '.join(words)}, {count(done.rejected)} rejected."
    if not done.rejected:
        return said
    link = reverse("admin:segments_segment_rejected", args=[segment.pk, done.pk])
    return format_html('{} <a class="lf-more" href="{}">Rejected rows with the reasons</a>', said, link)


def rejected(segments: ModelAdmin, request: HttpRequest, segment: Segment, number: int) -> HttpResponseBase:
    """The rejected rows of an upload as a CSV file, to correct and send again."""
    _must_see_customers(request)
    done = segment.uploads.filter(pk=number).first()
    if done is None:
        raise Http404("No such upload.")
    name, what = f"{slugify(segment.name) or 'segment'}-rejected", f"Rejected rows of a list for {segment}"
    rows = done.rejected_rows.count()
    return csv_file(lists.rejected_rows(done), name, label="segments.segment", what=what, rows=rows)


def _must_see_customers(request: HttpRequest) -> None:
    if not request.user.has_perm("store.view_customer"):
        raise PermissionDenied


def _back(request: HttpRequest, segment: Segment) -> str:
    """The page of this site that the form names, else the segment's."""
    wanted = request.POST.get("back", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else reverse("admin:segments_segment_change", args=[segment.pk])


def _text(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\0", "").strip()
