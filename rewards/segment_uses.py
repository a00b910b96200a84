"""What of the loyalty programme names a segment, and so keeps it from being deleted."""

from collections.abc import Collection, Iterable
from typing import Any

from django.urls import reverse

from segments.uses import Use

from .discounts import Discount
from .multipliers import Multiplier

FOR_MEMBERS: tuple[Any, ...] = (Discount, Multiplier)


def for_members(segments: Collection[int]) -> Iterable[tuple[int, Use]]:
    """What only members of the segments get, such as discounts: without the segment, everybody would."""
    for model in FOR_MEMBERS:
        kind = model._meta.model_name
        links = model.segments.through.objects.filter(segment__any=list(segments)).select_related(kind)
        for link in links.order_by("pk"):
            row = getattr(link, kind)
            address = reverse(f"admin:rewards_{kind}_change", args=[row.pk])
            yield link.segment_id, Use(kind, row.name, address, row.is_active)
