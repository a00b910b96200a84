"""What is asked for on a bill: discounts, mostly by a voucher's code."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import prefetch_related_objects

from loyaltyflow import planned

from .discounts import Discount
from .vouchers import Voucher

# Of which kind discounts are, and what they are restricted to.
KINDS = """
SELECT id, polymorphic_ctype_id,
    ARRAY(SELECT product_id FROM rewards_discount_products WHERE discount_id = discount.id),
    ARRAY(SELECT segment_id FROM rewards_discount_segments WHERE discount_id = discount.id),
    ARRAY(SELECT tier_id FROM rewards_discount_tiers WHERE discount_id = discount.id)
FROM rewards_discount AS discount WHERE id = ANY(%s::bigint[])
"""


@dataclass(frozen=True)
class Claim:
    """One discount that a customer wants off a bill, and the voucher by which they have it, if it is by one."""

    discount: Discount
    voucher: Voucher | None = None

    @property
    def code(self) -> str:
        """What was typed or scanned; the discount's title where nothing was."""
        return self.voucher.code if self.voucher else self.discount.title

    @property
    def place(self) -> tuple[bool, int, int]:
        """Its turn on the bill, whatever the order in which codes are typed: what is off single lines comes first."""
        return not self.discount.takes_off_lines, self.discount.pk, self.voucher.pk if self.voucher else 0


def claims(vouchers: Iterable[Voucher], discounts: Iterable[int] = ()) -> list[Claim]:
    """The vouchers, and discounts without a voucher by their ids, ready to be checked; each once.

    The number of statements depends on the kinds of discounts only.
    """
    held = list({voucher.pk: voucher for voucher in vouchers}.values())
    without = dict.fromkeys(discounts)
    known = read({*(voucher.discount_id for voucher in held), *without})
    by_voucher = [Claim(known[voucher.discount_id], voucher) for voucher in held]
    return by_voucher + [Claim(known[pk]) for pk in without]


def read(ids: Iterable[int]) -> dict[int, Discount]:
    """The discounts with these ids, each with what it names, and the ids of what it is restricted to."""
    wanted = sorted(ids)
    rows = planned.rows(KINDS, [wanted]) if wanted else []
    of_kind: dict[int, list[int]] = {}
    for pk, kind, *_lists in rows:
        of_kind.setdefault(kind, []).append(pk)
    found: list[Discount] = []
    for number, own in of_kind.items():
        model: Any = ContentType.objects.get_for_id(number).model_class()
        found += planned.read(model, "id = ANY(%s::bigint[])", [own])
    restricted = {pk: lists for pk, _kind, *lists in rows}
    for each in found:
        each.only_products, each.only_segments, each.only_tiers = restricted[each.pk]
    prefetch_references(found)
    return {each.pk: each for each in found}


def prefetch_references(discounts: Sequence[Discount]) -> None:
    """Read what the discounts name, such as products: the number of statements depends on their kinds."""
    prefetch_related_objects([each for each in discounts if each.budget_id], "budget")
    by_kind: dict[type[Discount], list[Discount]] = {}
    for each in discounts:
        by_kind.setdefault(type(each), []).append(each)
    for kind, rows in by_kind.items():
        prefetch_related_objects(rows, *_own_references(kind))


def _own_references(kind: type[Discount]) -> Sequence[str]:
    own = [*kind._meta.local_fields, *kind._meta.local_many_to_many]
    return [field.name for field in own if field.is_relation and field.name != "discount_ptr"]
