"""New dates for points that customers have: first what they would change, then the button that gives them."""

from datetime import timedelta

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from loyaltyflow.store.templatetags.figures import points
from loyaltyflow.words import number

from ..ledger.redating import Redated, redate
from ..models import Programme


def redate_points(request: HttpRequest) -> HttpResponse:
    """Show what new dates would change; a press of the button that says so gives them."""
    if not request.user.has_perm("rewards.change_programme"):
        raise PermissionDenied
    now = timezone.now()
    if request.method == "POST":
        messages.success(request, _told(redate(now, is_only_preview=False)))
        return HttpResponseRedirect(reverse("admin:rewards_programme_change", args=[1]))
    programme = Programme.load()
    shown = admin.site.each_context(request) | {
        "title": "New dates for points",
        "opts": Programme._meta,
        "programme": programme,
        "would": redate(now, is_only_preview=True),
        "soonest": now + timedelta(days=programme.grace_days),
    }
    return TemplateResponse(request, "admin/rewards/programme/redate.html", shown)


def _told(done: Redated) -> str:
    if not done.lots:
        return "No points have new dates: all had theirs by these rules already."
    earlier, later = points(done.earlier), points(done.later)
    return (
        f"Points of {number(done.customers, 'customer')} have new dates: {earlier} earlier, {later} later than before."
    )
