"""Points that staff give or take by hand."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from rewards import adjustments, ledger
from rewards.bill import Refused
from rewards.models import Account, Adjustment, AdjustmentLimit, AdjustmentReason, Entry, Programme
from tests import factories

from .points import give_all

pytestmark = pytest.mark.django_db


def staff(name: str, limit: int | None = None, *permissions: str) -> User:
    """Somebody of a group that may move so many points alone; None: of no group."""
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    if limit is not None:
        group = Group.objects.create(name=f"Group of {name}")
        AdjustmentLimit.objects.create(group=group, points=limit)
        user.groups.add(group)
    return user


def approver(name="erin"):
    return staff(name, None, "approve_adjustment", "view_adjustment")


@pytest.fixture
def reason() -> AdjustmentReason:
    return AdjustmentReason.objects.get_or_create(code="goodwill", defaults={"title": "A thank-you from us"})[0]


@pytest.fixture
def ask(now, reason):
    """A function that asks for an adjustment of a new customer's points, or of those of the one given."""

    def asked(points, by, key="k1", who=None, note="Waited long"):
        return adjustments.adjust((who or factories.customer()).pk, points, reason, note, by, key, now)

    return asked


def test_what_is_within_the_limit_is_done_at_once(ask, now):
    cashier = staff("carl", 500)
    made = ask(50, cashier)

    entry = Entry.objects.get()
    assert (made.state, made.entry, made.by, made.decided_by, made.asked_at) == ("done", entry, cashier, None, now)
    assert (entry.kind, entry.points, entry.by, entry.explanation) == (
        "manual_add",
        50,
        cashier,
        "A thank-you from us",
    )
    assert entry.key == f"adjustment:{made.pk}"
    assert Account.objects.get().balance == 50


def test_the_same_key_counts_once_and_for_another_adjustment_it_is_refused(ask):
    cashier, who = staff("carl", 500), factories.customer()
    assert ask(50, cashier, who=who).pk == ask(50, cashier, who=who).pk
    with pytest.raises(ValidationError, match="another adjustment"):
        ask(60, cashier, who=who)
    assert (Adjustment.objects.count(), Account.objects.get().balance) == (1, 50)


def test_a_cashier_who_gives_5000_waits_for_somebody_else(ask, now):
    cashier, boss = staff("carl", 500), approver()
    made = ask(5_000, cashier)
    assert (made.state, made.entry, Entry.objects.count()) == ("pending", None, 0)

    assert adjustments.approve(made, boss, now + timedelta(hours=1), "Agreed") is True
    assert adjustments.approve(made, boss, now + timedelta(hours=2)) is False

    entry = Entry.objects.get()
    assert (made.state, made.entry, made.decided_by, made.word) == ("done", entry, boss, "Agreed")
    assert (entry.points, entry.by, entry.occurred_at) == (5_000, cashier, now + timedelta(hours=1))
    assert Account.objects.get().balance == 5_000


@pytest.mark.parametrize(
    ("_case", "limit", "above", "points", "state"),
    [
        ("just within both", 500, 1_000, 500, "done"),
        ("one above the limit of the role", 500, 1_000, 501, "pending"),
        ("one above what anybody may", 5_000, 1_000, 1_001, "pending"),
        ("nobody said how many", None, 1_000, 1, "pending"),
    ],
)
def test_how_many_points_one_may_give_alone(ask, _case, limit, above, points, state):
    Programme.load()
    Programme.objects.update(approval_above=above)
    assert ask(points, staff("carl", limit)).state == state


def test_a_limit_counts_what_one_gave_the_same_customer_within_a_day(reason, now):
    carl, dana, who = staff("carl", 500), staff("dana", 500), factories.customer()

    def asked(points, by, at, customer=who):
        key = str(Adjustment.objects.count())
        return adjustments.adjust(customer.pk, points, reason, "", by, key, at).state

    assert [asked(300, carl, now), asked(200, carl, now), asked(1, carl, now)] == ["done", "done", "pending"]
    assert [asked(500, dana, now), asked(500, carl, now, factories.customer())] == ["done", "done"]
    assert [asked(-400, carl, now), asked(-101, carl, now)] == ["done", "pending"]
    assert asked(1, carl, now + timedelta(hours=23)) == "pending"
    assert asked(500, carl, now + timedelta(hours=24)) == "done"


def test_what_somebody_else_approved_uses_up_no_limit(ask, now):
    carl, who = staff("carl", 500), factories.customer()
    adjustments.approve(ask(5_000, carl, "a", who), approver(), now)
    assert ask(500, carl, "b", who).state == "done"


def test_the_highest_limit_of_several_groups_counts_and_the_boss_has_only_the_programmes(ask):
    cashier = staff("carl", 100)
    AdjustmentLimit.objects.create(group=Group.objects.create(name="Managers"), points=800)
    cashier.groups.add(Group.objects.get(name="Managers"))
    assert ask(800, cashier, "a").state == "done"
    boss = User.objects.create_superuser("dana")
    assert [ask(1_000, boss, "b").state, ask(1_001, boss, "c").state] == ["done", "pending"]


def test_nobody_approves_their_own_and_nobody_without_the_permission(ask, now):
    own, other = approver("carl"), staff("olga", 5_000)
    made = ask(5_000, own)
    for person, sentence in ((own, "You asked for it yourself"), (other, "You may not approve")):
        for decide in (adjustments.approve, adjustments.refuse):
            with pytest.raises(ValidationError, match=sentence):
                decide(made, person, now, "Fine")
    assert (Adjustment.objects.get().state, Entry.objects.count()) == ("pending", 0)
    with pytest.raises(IntegrityError, match="nobody_decides"), transaction.atomic():
        Adjustment.objects.update(state="refused", word="No", decided_by=own)


def test_a_refusal_says_why_and_moves_nothing(ask, now):
    made, boss = ask(5_000, staff("carl", 500)), approver()
    with pytest.raises(ValidationError, match="Say in a few words"):
        adjustments.refuse(made, boss, now, " ")
    assert Adjustment.objects.get().state == "pending"

    assert adjustments.refuse(made, boss, now, "Too much") is True
    assert adjustments.approve(made, boss, now) is False
    assert (made.state, made.word, made.decided_by, Entry.objects.count()) == ("refused", "Too much", boss, 0)


@pytest.mark.parametrize("points", [0, 10_000_001, -10_000_001])
def test_absurd_numbers_are_refused(ask, points):
    with pytest.raises(ValidationError, match="Give a number of points"):
        ask(points, User.objects.create_superuser("dana"))
    assert Adjustment.objects.count() == 0


def test_a_reason_that_is_switched_off_is_refused(ask, reason):
    AdjustmentReason.objects.update(is_active=False)
    reason.refresh_from_db()
    with pytest.raises(ValidationError, match="not used any more"):
        ask(5, User.objects.create_superuser("dana"))
    assert Adjustment.objects.count() == 0


@pytest.mark.parametrize("points", [-101, -5_000])
def test_no_more_is_taken_than_can_be_spent(ask, now, points):
    """Neither at once nor by asking somebody."""
    who, cashier = factories.customer(), staff("carl", 500)
    give_all(now, 100)
    with pytest.raises(Refused) as refused:
        ask(points, cashier, who=who)
    assert refused.value.refusal.current["spendable"] == 100
    assert (Adjustment.objects.count(), Account.objects.get().balance) == (0, 100)

    assert ask(-100, cashier, who=who).state == "done"
    assert (Account.objects.get().balance, Entry.objects.latest("pk").kind) == (0, "manual_remove")
    assert ledger.verify() == []


def test_points_that_are_gone_when_it_is_approved_leave_it_waiting(ask, now):
    who = factories.customer()
    give_all(now, 2_000)
    made = ask(-1_500, staff("carl", 500), who=who)
    ask(-600, User.objects.create_superuser("dana"), "k2", who)
    with pytest.raises(Refused):
        adjustments.approve(made, approver(), now)
    made.refresh_from_db()
    assert (made.state, Account.objects.get().balance) == ("pending", 1_400)


def page(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_form_counts_once_however_often_it_is_sent(reason):
    cashier, who = staff("carl", 500, "add_adjustment", "view_adjustment", "view_customer"), factories.customer()
    address = f"{reverse('admin:rewards_adjustment_add')}?customer={who.pk}"
    client = page(cashier)
    form = client.get(address).context["adminform"].form
    assert form["customer"].value() == str(who.pk)
    sent = {"customer": who.pk, "points": 50, "reason": reason.pk, "note": "", "once": form["once"].value()}
    for _ in range(2):
        answer = client.post(address, sent, follow=True)
    assert "50 points were added for" in answer.content.decode()
    assert Account.objects.get().balance == 50

    answer = client.post(address, sent | {"points": -51, "once": "k2"})
    assert "50" in str(answer.context["adminform"].form.errors["points"])
    assert Adjustment.objects.count() == 1


def test_the_list_adds_up_what_the_filters_leave(ask, now, admin_client):
    dana = User.objects.create_superuser("dana")
    other = AdjustmentReason.objects.create(code="other", title="Something else")
    ask(40, dana, "a")
    ask(500, staff("carl", 1_000), "b")
    ask(5_000, dana, "waits")
    who = factories.customer()
    adjustments.adjust(who.pk, 7, other, "", dana, "c", now - timedelta(days=40))
    address = reverse("admin:rewards_adjustment_changelist")

    def total(**filters):
        return admin_client.get(address, filters).context["cl"].moved["points"]

    assert total() == "+547 pts"
    assert sum(Entry.objects.values_list("points", flat=True)) == 547
    assert total(by__id__exact=dana.pk) == "+47 pts"
    assert total(reason__id__exact=other.pk) == "+7 pts"
    assert total(asked_at_from=f"{now:%Y-%m-%d}") == "+540 pts"
    assert "$27.35" in admin_client.get(address).content.decode()


def test_only_who_may_approve_decides_on_the_page(ask):
    made = ask(5_000, staff("carl", 500))
    address = reverse("admin:rewards_adjustment_decide", args=[made.pk])
    assert page(staff("olga", 500, "view_adjustment")).post(address, {"decision": "approve"}).status_code == 403
    assert Adjustment.objects.get().state == "pending"

    answer = page(approver()).post(address, {"decision": "approve"}, follow=True)
    assert "Approved: +5,000 pts" in answer.content.decode()
    assert Account.objects.get().balance == 5_000


def test_an_adjustment_is_never_changed_on_its_page(ask, admin_client):
    made = ask(40, User.objects.create_superuser("dana"))
    address = reverse("admin:rewards_adjustment_change", args=[made.pk])
    assert admin_client.get(address).status_code == 200
    assert admin_client.post(address, {"points": 9_000}).status_code == 403
    assert Account.objects.get().balance == 40
