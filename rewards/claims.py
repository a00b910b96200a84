"""What is asked for on a bill: discounts, mostly by a voucher's code."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, prefetch_related_objects

from .discounts import Discount
from .vouchers import Voucher


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
    restricted = {
        f"only_{name}": ArraySubquery(_linked(name).values(to))
        for name, to in (("products", "product"), ("segments", "segment"), ("tiers", "tier"))
    }
    found: list[Discount] = list(Discount.objects.filter(pk__any=sorted(ids)).annotate(**restricted))
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


def _linked(name: str) -> Any:
    through = Discount._meta.get_field(name).remote_field.through
    return through.objects.filter(discount=OuterRef("pk")).order_by()


def _own_references(kind: type[Discount]) -> Sequence[str]:
    own = [*kind._meta.local_fields, *kind._meta.local_many_to_many]
    return [field.name for field in own if field.is_relation and field.name != "discount_ptr"]
