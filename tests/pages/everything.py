"""A store that has something of nearly everything, and the addresses of all its pages."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.urls import get_resolver

from loyaltyflow.models import ApiKey, TickRun
from loyaltyflow.store.models import Tag
from messaging.models import Message
from rewards.models import Adjustment, AdjustmentReason, CodePool, Hold, Programme, Tier
from segments.conditions.all_of import AllOf
from tests import factories
from tests.messaging import world
from tests.segments.tree import segment
from tests.till import shop
from workflows.models import Workflow


def built(now: datetime) -> None:
    """One row, or some, of what there are pages for."""
    Programme.load()
    who, other = shop.member(1000, email="zoe@example.com", first_name="Zoe"), shop.member(first_name="Zoey")
    factories.order(who, now, "20.00", factories.product())
    shop.rule()
    pool = CodePool.objects.create(discount=shop.off(), name="Spring", wanted=2, made=2)
    shop.code("SAVE10", customer=who)
    shop.code("POOLED", pool.discount, pool=pool, state="free")
    Hold.objects.create(source="till", external_id="H-1", customer=who, points=1, expires_at=now + timedelta(hours=1))
    reason = AdjustmentReason.objects.create(code="thanks", title="Thanks")
    Adjustment.objects.create(customer=other, points=50, reason=reason, key="a", asked_at=now)
    Tier.objects.create(name="Gold", threshold=500)
    Tag.objects.create(name="vip")
    TickRun.objects.create(now=now)
    ApiKey.issue("Web shop", ["orders"])
    segment(AllOf.objects.create())
    Workflow.objects.create(name="Welcome")
    world.post(world.template(), now, world.fan(now, email="ann@example.com"))
    assert Message.objects.exists()


def addresses(resolver: Any = None, before: str = "/") -> Iterator[str]:
    """Every address of the URLconf; where it names a row, that of the first one there is, else 1."""
    for pattern in (resolver or get_resolver()).url_patterns:
        part = re.sub(r"<[^>]*>|\(\?P<[^)]*\)", "1", str(pattern.pattern)).strip("^$")
        if hasattr(pattern, "url_patterns"):
            yield from addresses(pattern, before + part)
        elif "logout" not in before + part:
            yield _of_a_row(before + part)


def _of_a_row(address: str) -> str:
    """The address with the number of a row that there is, if it is of a model's page."""
    found = re.match(r"/(\w+)/(\w+)/1(?=/)", address)
    model = apps.all_models.get(found[1], {}).get(found[2]) if found else None
    first = model._default_manager.order_by("pk").values_list("pk", flat=True).first() if model else None
    return address if found is None or first is None else f"/{found[1]}/{found[2]}/{first}{address[found.end() :]}"
