"""What of the loyalty programme names a segment, and so keeps it from being deleted."""

from collections.abc import Collection, Iterable

from django.urls import reverse

from segments.uses import Use

from .discounts import Discount


def of_discounts(segments: Collection[int]) -> Iterable[tuple[int, Use]]:
    """The discounts that only members of the segments can use: without the segment, everybody could."""
    links = Discount.segments.through.objects.filter(segment__any=list(segments)).select_related("discount")
    for link in links.order_by("pk"):
        url = reverse("admin:rewards_discount_change", args=[link.discount_id])
        yield link.segment_id, Use("discount", link.discount.name, url, link.discount.is_active)
