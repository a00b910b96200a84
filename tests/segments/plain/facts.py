from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Lower

from loyaltyflow.store.models import Cart, Consent, Customer, Event, Order, OrderLine, Product, Refund, Tagging
from messaging.models import Engagement, Message, Suppression
from rewards.models import Draw, Entry, Lot, Programme, Redemption, Standing, Tier, Voucher
from segments.models import Membership
from workflows.models import Enrolment

Row = dict[str, Any]


@dataclass
class Facts:
    """All that is known of one customer: each table's rows as dicts, whenever they happened."""

    customer: Row
    tables: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def __getitem__(self, table: str) -> list[Row]:
        return self.tables[table]


# Table → where its rows come from; each row has the columns and what is named here, and `customer_id`.
TABLES: dict[str, Any] = {
    "orders": lambda: Order.objects.values(),
    "lines": lambda: OrderLine.objects.values(
        "order_id",
        "quantity",
        "net",
        "product_id",
        "product__sku",
        "product__category",
        "product__brand",
        customer_id=F("order__customer_id"),
    ),
    "refunds": lambda: Refund.objects.values("order_id", "amount", "at", customer_id=F("order__customer_id")),
    "events": lambda: Event.objects.values(),
    "consents": lambda: Consent.objects.values(),
    "taggings": lambda: Tagging.objects.values(),
    "carts": lambda: Cart.objects.values(),
    "stays": lambda: Membership.objects.values(),
    "walks": lambda: Enrolment.objects.values(),
    "points": lambda: Entry.objects.values(),
    "standings": lambda: Standing.objects.values(
        "customer_id", "tier_id", "tier__threshold", "since", "until", "reason"
    ),
    "lots": lambda: Lot.objects.values(
        "pk", "customer_id", "points", "available_at", "expires_at", "entry__occurred_at"
    ),
    "draws": lambda: Draw.objects.values("lot_id", "points", "at", customer_id=F("entry__customer_id")),
    "vouchers": lambda: Voucher.objects.values(),
    "redemptions": lambda: Redemption.objects.values(),
    "messages": lambda: Message.objects.values(),
    "engagements": lambda: Engagement.objects.values(
        "kind",
        "at",
        "is_machine",
        "message_id",
        "message__campaign_id",
        "message__template_id",
        customer_id=F("message__customer_id"),
    ),
    "blocked": lambda: Suppression.objects.annotate(
        customer_id=Subquery(
            Customer.objects.annotate(mine=Lower("email")).filter(mine=OuterRef("address")).values("pk")[:1]
        )
    ).values(),
}


def known() -> dict[int, Facts]:
    """The facts of every customer, by id, each with all products, the tiers and the programme that the shop has."""
    Programme.load()
    shop = {
        name: [dict(row) for row in model.objects.values()]
        for name, model in {"products": Product, "tiers": Tier, "programme": Programme}.items()
    }
    found = {row["id"]: Facts(row) for row in Customer.objects.values()}
    for name, rows in TABLES.items():
        for row in rows().order_by("pk"):
            if row["customer_id"] in found:
                found[row["customer_id"]][name].append(row)
    for facts in found.values():
        facts.tables |= shop
    return found
