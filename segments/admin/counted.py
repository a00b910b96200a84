"""What the editor counts while staff write: how many match, who some of them are, and why somebody does or does not."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpResponse
from django.urls import reverse
from django.utils.html import format_html

from loyaltyflow.sql import TooSlow
from loyaltyflow.store.models import Customer, Order
from loyaltyflow.store.templatetags.figures import count, day, moment

from .. import counting, turns
from ..conditions import Condition
from ..conditions.base import Explanation
from ..editing import publishing
from ..editing.differences import find, own_digest
from ..forms.condition import condition_form
from .answers import PARTS, number_of, part
from .owner import Owner, SegmentTree
from .rows import MODES

SHOWN = 10  # customers
TOO_SLOW = "This takes too long to count just now. Saving works all the same."


def strip(owner: Owner) -> HttpResponse:
    """How many customers match the conditions as they stand in the draft, or what keeps them from being counted."""
    return part(owner, f"{PARTS}/strip.html", _counted(owner, owner.tree))


def _counted(owner: Owner, tree: Condition, patience: counting.Patience | None = None) -> dict[str, Any]:
    patience = patience or counting.Patience()
    if owner.faults:
        number, sentences = next(iter(owner.faults.items()))
        others, row = len(owner.faults) - 1, find(owner.tree, number)
        says = sentences[0] + (f" And {others} more." if others else "")
        return {"problem": {"row": number, "says": says, "is_group": bool(row and row.takes_parts)}}
    try:
        look = counting.looked(tree, owner.now, number=0, limit_ms=patience.left_ms)
    except TooSlow:
        return {"too_slow": TOO_SLOW}
    found: dict[str, Any] = {"counted": look.count, "share": look.count.share, "known": look.known}
    found["thousandths"] = max(round(1000 * look.count.share), 1 if look.count.number else 0)
    if not look.count.number and tree.parts():
        found["culprit"] = _culprit(owner, tree, patience)
    return found


def _culprit(owner: Owner, tree: Condition, patience: counting.Patience) -> dict[str, Any] | None:
    """The row that leaves nobody, with its own count."""
    try:
        row = counting.nobody(tree, owner.now, patience.left_ms)
        if row is None or row is tree:
            return None
        alone = counting.counted(row, owner.now, patience.left_ms)
    except TooSlow:
        return None
    many = f"{count(alone.number)} customers match it alone, none of them the rest"
    own = many if alone.number else "nobody matches it"
    return {"row": row.number, "says": format_html("Nobody is left after “{}”: {}.", row.sentence(), own)}


def hits(owner: Owner) -> HttpResponse:
    """How many customers match each condition alone."""
    found = counting.row_counts(owner.tree, owner.now, leave_out=owner.faults)
    return part(owner, f"{PARTS}/hits.html", {"hits": list(found.items())})


def impact(owner: SegmentTree) -> HttpResponse:
    """What saving would do to the members."""
    is_told = owner.changes and owner.is_live and not owner.faults
    found = publishing.impact(owner.segment, owner.now) if is_told else None
    return part(owner, f"{PARTS}/impact.html", {"impact": found})


def row(owner: Owner, number: int) -> HttpResponse:
    """What the condition does as its form says it now, and how many would match; nothing is saved.

    Who may not change it is told of it as it is stored: to count by conditions of one's own is to ask about customers.
    """
    stored = find(owner.tree, number)
    form = _form(owner, stored) if stored is not None else None
    if form is None or not form.instance.asked_of_segments or (form.is_bound and not form.is_valid()):
        return HttpResponse(status=204)
    says_another = own_digest(form.instance) != own_digest(stored) if stored else False
    tree = counting.with_row(owner.tree, number, form.instance)
    return _does(owner, form, tree, counting.without(owner.tree, number), says_another)


def new_row(owner: Owner) -> HttpResponse:
    """What a new condition would do, as its form says it now; nothing is saved."""
    name = owner.request.GET.get("type", "")
    kind = next((kind for kind in owner.kinds() if kind.type_name() == name and not kind.takes_parts), None)
    form = _form(owner, kind()) if kind else None
    if form is None or not form.instance.asked_of_segments or not form.is_valid():
        return HttpResponse(status=204)
    tree = _with_new(owner.tree, number_of(owner.request.GET, "to"), form.instance)
    return _does(owner, form, tree, owner.tree, says_another=True)


def _form(owner: Owner, condition: Condition) -> Any:
    own = type(condition).objects.get(pk=condition.pk) if condition.pk else condition
    options: dict[str, Any] = {"now": owner.now, "address": owner.address, "offered": owner.choices(type(condition))}
    data = owner.request.POST if owner.may_change else None
    return condition_form(type(condition))(data, instance=own, **options)


def _with_new(tree: Condition, number: int, new: Condition) -> Condition:
    """The tree as it would be with the new condition in the group; nothing is stored."""
    group = find(tree, number) or tree
    made = type(group)(copy_of=group.number or None)
    made.__dict__["_parts"] = [*group.parts(), new]
    return made if group is tree else counting.with_row(tree, number, made)


def _does(owner: Owner, form: Any, tree: Condition, rest: Condition, says_another: bool) -> HttpResponse:
    about: dict[str, Any] = {"says_another": says_another, "form": form, "sentence": form.instance.sentence()}
    patience = counting.Patience()
    about |= _counted(owner, tree, patience) if says_another else {}
    try:
        about["alone"] = counting.counted(form.instance, owner.now, patience.left_ms)
        about["without"] = counting.counted(rest, owner.now, patience.left_ms) if not owner.faults else None
    except TooSlow:
        about["too_slow"] = TOO_SLOW
    about["warnings"] = form.instance.warnings()
    return part(owner, f"{PARTS}/does_answer.html", about)


def samples(owner: Owner) -> HttpResponse:
    """Some of the customers who match, others at each turn."""
    turn = number_of(owner.request.GET, "turn")
    try:
        look = counting.looked(owner.tree, owner.now, page=turn, number=SHOWN) if not owner.faults else None
    except TooSlow:
        look = None
    number = look.count.number if look else 0
    people = _people(owner, look.customers) if look and owner.may_ask else []
    about = {"people": people, "turn": turn + 1, "more": number > SHOWN}
    about["title"] = f"Ten of the {count(number)}" if number > SHOWN else "Who matches"
    about["nobody"] = _nobody(owner, number)
    return part(owner, f"{PARTS}/samples.html", about)


def _nobody(owner: Owner, number: int) -> str:
    if owner.faults:
        return "Customers are shown once the conditions are whole."
    return "You may not see customers." if number and not owner.may_ask else "Nobody matches."


# Further things that the list says of a customer: heading → what stands there, by the customer's id.
SAID: dict[str, Any] = {}


def _people(owner: Owner, customers: list[Customer]) -> list[dict[str, Any]]:
    ids = [each.pk for each in customers]
    bought = Order.objects.purchases(owner.now).filter(customer__any=ids).order_by("customer", "-completed_at")
    last = dict(bought.distinct("customer").values_list("customer", "completed_at"))
    said = {heading: tell(ids) for heading, tell in SAID.items()}
    return [
        {
            "name": str(each),
            "page": reverse("admin:store_customer_change", args=[each.pk]),
            "lives_in": ", ".join(part for part in (each.state, each.country) if part),
            "last_bought": last.get(each.pk),
            "points": said.get("Points", {}).get(each.pk),
        }
        for each in customers
    ]


def customers(owner: Owner) -> HttpResponse:
    """The customers who are called, or have the address or phone number, that was typed."""
    words = owner.request.GET.get("customer", "").replace("\0", "").strip()
    rows = _called(owner, words)[:8] if words and owner.may_ask else []
    return part(owner, f"{PARTS}/people.html", {"rows": rows, "words": words})


def _called(owner: Owner, words: str) -> Any:
    page = admin.site._registry[Customer]
    found, _ = page.get_search_results(owner.request, Customer.objects.order_by("-pk"), words)
    return found.distinct()


def why(owner: Owner) -> HttpResponse:
    """Why a customer matches or does not, condition by condition, and when time alone changes that."""
    wanted = owner.request.GET.get("customer", "").replace("\0", "").strip()
    about: dict[str, Any] = {"wanted": wanted, "is_open": True}
    if wanted and owner.may_ask and not owner.faults:
        about |= _explained(owner, wanted)
    return part(owner, f"{PARTS}/why.html", about)


def _explained(owner: Owner, wanted: str) -> dict[str, Any]:
    known = Customer.objects.filter(pk=wanted) if wanted.isdecimal() and len(wanted) < 19 else Customer.objects.none()
    customer = known.first() or _called(owner, wanted).first()
    if customer is None:
        return {}
    why = owner.tree.explain(customer, owner.now)
    return {
        "customer": customer,
        "page": reverse("admin:store_customer_change", args=[customer.pk]),
        "why": why,
        "reasons": reasons(owner.tree, why),
        "turns": turned(owner.tree, customer, owner.now),
    }


def reasons(tree: Condition, why: Explanation) -> list[dict[str, Any]]:
    """Each condition with its answer and what was seen; a group with how it is asked and its conditions."""
    return [
        {
            "holds": part.holds,
            "sentence": part.sentence,
            "seen": part.seen[:1].upper() + part.seen[1:],
            "title": next((f"{mode.word} {mode.rest}" for mode in MODES if isinstance(row, mode.kind)), ""),
            "parts": reasons(row, part),
        }
        for row, part in zip(tree.parts(), why.parts, strict=True)
    ]


def turned(tree: Condition, customer: Customer, now: datetime) -> str:
    """When time alone makes the customer join or leave, as a sentence."""
    turn = turns.turn(tree, customer, now)
    if turn is None:
        return "Only something that they do, or that happens to them, changes that."
    at = turn.at.astimezone(now.tzinfo)
    is_midnight = (at.hour, at.minute) == (0, 0)
    verb = "Joins" if turn.joins else "Leaves"
    return f"{verb} on {day(turn.at) if is_midnight else moment(turn.at)} if nothing happens before."
