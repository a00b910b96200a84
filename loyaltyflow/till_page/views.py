"""The Till page's address: the whole page, and for htmx the part below the field for scanning."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from loyaltyflow.store.clock import store
from loyaltyflow.store.models import Order

from .after import After, Press
from .presses import press
from .sale import new, place_of, sent
from .shown import context

MAY = "rewards.use_till"
NUMBER = 19  # digits, of which no customer has as many


def till(request: HttpRequest) -> HttpResponse:
    """The page; a press draws the sale anew."""
    if not request.user.has_perm(MAY):
        raise PermissionDenied
    now = store().local(timezone.now())
    place = place_of(request.session)
    if not place.till or "place" in request.GET:
        return _choose_place(request)
    if request.method != "POST":
        who = request.GET.get("customer", "")
        sale = new(now, customer=int(who) if who.isdecimal() and len(who) < NUMBER else None)
        return _page(request, context(After(sale), place, now))
    name, _, value = request.POST.get("do", "").partition(":")
    assert request.user.is_authenticated  # the admin asks for that
    after = press(sent(request.POST, now), name, Press(value, request.POST, place, now, request.user))
    about = context(after, place, now)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "pages/till/sale.html", about)
    return _page(request, about)


def _page(request: HttpRequest, about: dict[str, Any]) -> HttpResponse:
    shown = {**admin.site.each_context(request), "title": "Till", **about}
    return render(request, "pages/till/page.html", shown)


def _choose_place(request: HttpRequest) -> HttpResponse:
    """Ask once which till this browser is; who was to be served stays known."""
    who = request.GET.get("customer", "")
    who = who if who.isdecimal() and len(who) < NUMBER else ""
    said = {name: request.POST.get(name, "").replace("\0", "").strip()[:60] for name in ("store", "till")}
    if request.method == "POST" and said["till"]:
        request.session["till"] = said
        return HttpResponseRedirect(reverse("till") + (f"?customer={who}" if who else ""))
    known = place_of(request.session)
    stores = Order.objects.exclude(store_location="").order_by("-pk").values_list("store_location", flat=True)[:500]
    about = {"title": "Till", "place": known, "stores": sorted(set(stores)), "who": who}
    about["is_missing"] = request.method == "POST"
    return render(request, "pages/till/place.html", {**admin.site.each_context(request), **about})
