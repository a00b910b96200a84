"""A segment that cannot be judged stands back: the others go on, and staff see which it is and why."""

import logging
from collections.abc import Callable

from django.db import transaction

from .models import Segment

log = logging.getLogger(__name__)
LONGEST = 500  # characters of a fault that are kept


def apart(segment: Segment, bring: Callable[[], dict[str, int]]) -> dict[str, int]:
    """What `bring` did for the segment; if it failed, nothing: the fault is kept, and everybody is judged next time."""
    try:
        with transaction.atomic():
            done = bring()
    except Exception as fault:  # noqa: BLE001 - whatever is wrong with one segment, the others go on and staff see it
        log.exception("Segment %s could not be judged; the next refresh judges everybody for it.", segment.pk)
        _keep(segment, f"{type(fault).__name__}: {fault}"[:LONGEST].replace("\0", "").strip())
        return {"failed": 1}
    if segment.fault:
        _keep(segment, "")
    return done


def _keep(segment: Segment, fault: str) -> None:
    """Remember the fault, or that there is none any more; who was missed meanwhile is found by judging everybody."""
    rows = Segment.objects.filter(pk=segment.pk)
    rows.update(**{"fault": fault, **({"built_from": ""} if fault else {})})
