from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from rewards.models import Account, Budget, Entry, Programme, Spending
from tests import factories
from workflows import engine
from workflows.admin.steps import node_types
from workflows.models import Enrolment, Revision, Step
from workflows.nodes.award_points import AwardPoints

from . import flows

pytestmark = pytest.mark.django_db


def gift(now, flow=None, **fields):
    """A step of a live workflow that gives 100 points."""
    draft = Revision.objects.create(workflow=flow or flows.workflow())
    step = AwardPoints.objects.create(**{"revision": draft, "points": 100, **fields})
    flows.live(now, flows.on_event(draft), step, flows.email(draft), flows.end(draft))
    return step


def budget(amount, **fields):
    return Budget.objects.create(name="Autumn", unit="points", amount=Decimal(amount), **fields)


def reasons(step):
    return dict(Step.objects.filter(node=step).values_list("enrolment__customer", "reason"))


def balances():
    return dict(Account.objects.exclude(balance=0).values_list("customer", "balance"))


def form(client, step, points):
    fields = {"points": points, "explanation": "Thanks", "period": "ever", "revision": step.revision_id}
    return client.post(reverse("admin:workflows_awardpoints_change", args=[step.pk]), fields)


@pytest.mark.parametrize("points", ["", "0", "-5", "1.5", "10001", "many"])
def test_points_that_cannot_be_given_are_refused(admin_client, points):
    step = AwardPoints.objects.create(revision=Revision.objects.create(workflow=flows.workflow()), points=7)
    page = form(admin_client, step, points)
    assert page.status_code == 200
    assert page.context["errors"]
    step.refresh_from_db()
    assert step.points == 7


def test_a_hundred_points_are_accepted_with_their_worth_beside_them(admin_client):
    step = AwardPoints.objects.create(revision=Revision.objects.create(workflow=flows.workflow()), points=7)
    assert form(admin_client, step, "100").status_code == 302
    step.refresh_from_db()
    assert (step.points, step.summary()) == (100, "Give 100 points ($5.00)")


def test_the_programme_says_how_many_at_most():
    Programme.load()
    Programme.objects.update(largest_gift=500)
    step = AwardPoints(revision=Revision.objects.create(workflow=flows.workflow()), points=501)
    with pytest.raises(ValidationError) as refused:
        step.clean()
    assert refused.value.message_dict == {
        "points": ["At most 500 pts ($25.00) can be given at once, as the programme says."]
    }


def test_a_limit_below_one_gift_is_refused():
    step = AwardPoints(revision=Revision.objects.create(workflow=flows.workflow()), points=100, most_per_customer=99)
    with pytest.raises(ValidationError) as refused:
        step.clean()
    assert refused.value.message_dict == {
        "most_per_customer": ["That is less than the 100 pts of one gift, so nobody would get any."]
    }


def test_the_palette_calls_it_grant_points_boost():
    assert "grant points boost" in [str(kind._meta.verbose_name) for kind in node_types()]


@pytest.mark.parametrize("has_budget", [False, True])
def test_a_step_that_is_tried_again_gives_its_points_once(now, has_budget):
    step = gift(now, budget=budget(1000) if has_budget else None)
    who = factories.customer()
    (enrolment,) = flows.stand_at(step, now, who)
    batch = engine.claim
    for _again in range(2):
        taken = batch(step, now)
        assert list(step.run(taken)) == [("next", [enrolment.pk])]
        assert taken.reasons == {}

    assert Entry.objects.values_list("customer", "points", "key").get() == (
        who.pk,
        100,
        f"node:{step.pk}:{enrolment.pk}",
    )
    assert balances() == {who.pk: 100}
    assert list(Spending.objects.filter(customer=None).values_list("used", flat=True)) == [100] * has_budget


def test_the_eleventh_goes_on_without_points_and_with_the_reason(now):
    step = gift(now, budget=budget(1000))
    people = [factories.customer() for _each in range(11)]
    flows.stand_at(step, now, *people)

    engine.advance(now)

    last = people[-1].pk
    assert balances() == {who.pk: 100 for who in people[:-1]}
    assert reasons(step) == {
        **{who.pk: "" for who in people},
        last: "No points: the budget “Autumn” has no more for this customer now.",
    }
    assert set(Step.objects.filter(node=step).values_list("outlet", flat=True)) == {"next"}
    assert set(Enrolment.objects.values_list("status", flat=True)) == {"completed"}
    assert Spending.objects.get(customer=None).used == 1000


def test_a_dynamic_budget_gives_the_last_what_is_left(now):
    step = gift(now, budget=budget(130, behaviour="dynamic"))
    first, second, third = (factories.customer() for _each in range(3))
    flows.stand_at(step, now, first, second, third)
    engine.advance(now)
    assert balances() == {first.pk: 100, second.pk: 30}
    assert reasons(step)[second.pk] == "30 pts: the budget “Autumn” has no more for this customer now."


def test_a_workflow_gives_one_customer_so_many_in_a_period(now):
    flow = flows.workflow()
    step = gift(now, flow, most_per_customer=250, period="month")
    other = gift(now)
    who = factories.customer()
    for moment, at in ((now, step), (now, other), (now + timedelta(days=1), step), (now + timedelta(days=2), step)):
        flows.stand_at(at, moment, who)
        engine.advance(moment)
    assert balances() == {who.pk: 300}
    last = Step.objects.filter(node=step).order_by("pk").last()
    assert last.reason == "No points: had 200 pts of at most 250 pts a month from this workflow."

    december = now + timedelta(days=9)
    flows.stand_at(step, december, who)
    engine.advance(december)
    assert balances() == {who.pk: 400}


def test_the_statements_do_not_depend_on_the_number_of_customers(now):
    of, seen = budget(10_000, per_customer=150), []
    step = gift(now, budget=of, most_per_customer=500, period="year")
    for number in (1, 30):
        flows.stand_at(step, now, *(factories.customer() for _each in range(number)))
        batch = engine.claim(AwardPoints.objects.get(pk=step.pk), now)
        with CaptureQueriesContext(connection) as captured:
            list(step.run(batch))
        seen.append(len(captured))
    assert seen[1] <= seen[0]
    assert sum(balances().values()) == 3_100
