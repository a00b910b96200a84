from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from rewards import standings
from rewards.models import Discount, Multiplier, Programme, Standing, Tier
from tests import factories
from tests.staff import signed_in

from .ladder import DAY, earn, member, tiers

TIERS = reverse("admin:rewards_tier_changelist")
HISTORY = reverse("admin:rewards_standing_changelist")
BY_HAND = reverse("admin:rewards_standing_add")


@pytest.mark.django_db(transaction=True)
def test_the_list_says_how_each_tier_is_reached_and_how_many_are_in_it(admin_client, now):
    tiers(early_hours=24, bonus_points=50, benefits=["Free delivery", "A gift"])
    members = [member(now) for _ in range(4)]
    earn(members[0], 500, now)
    standings.settle(now)

    def statements():
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(TIERS).status_code == 200
        return len(captured)

    text = admin_client.get(TIERS).content.decode()
    for said in (
        "500 pts",
        "nothing: every member",
        "25.0%",
        "75.0%",
        "24 hours before others",
        "50 pts",
        "Free delivery; A gift",
    ):
        assert said in text, said
    few = statements()
    Tier.objects.create(name="Platinum", threshold=1000)
    assert statements() == few


@pytest.mark.django_db
def test_a_tier_is_added_with_a_line_for_each_benefit(admin_client):
    Programme.objects.create(tier_basis="spend")
    assert "Money spent, in USD," in admin_client.get(reverse("admin:rewards_tier_add")).content.decode()
    sent = {
        "name": "Gold",
        "threshold": "500",
        "bonus_points": 0,
        "early_hours": 24,
        "benefits": "Free delivery\r\n\r\n A gift ",
    }
    admin_client.post(reverse("admin:rewards_tier_add"), sent)
    assert (Tier.objects.get().benefits, Tier.objects.get().early_hours) == (["Free delivery", "A gift"], 24)


@pytest.mark.django_db
def test_a_tier_that_somebody_was_in_is_not_deleted(admin_client, now):
    gold = Tier.objects.create(name="Gold", threshold=500)
    address = reverse("admin:rewards_tier_delete", args=[gold.pk])
    assert admin_client.get(address).status_code == 200
    Standing.objects.create(customer=member(now), tier=gold, since=now - DAY, until=now, reason="reached")

    assert admin_client.post(address, {"post": "yes"}).status_code == 403
    assert Tier.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("at_once", [False, True], ids=["on its page", "from the list"])
def test_a_tier_that_something_is_restricted_to_is_not_deleted(admin_client, at_once):
    """Without it, the discount would be for everybody."""
    gold, silver = Tier.objects.create(name="Gold", threshold=500), Tier.objects.create(name="Silver", threshold=250)
    discount = Discount.objects.create(name="A treat & more", title="$10.00 off")
    multiplier = Multiplier.objects.create(name="Twice for Gold", factor=2)
    discount.tiers.add(gold, silver)
    multiplier.tiers.add(gold)
    one = (reverse("admin:rewards_tier_delete", args=[gold.pk]), {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [gold.pk, silver.pk], "post": "yes"}
    address, sent = (TIERS, chosen) if at_once else one

    text = admin_client.post(address, sent).content.decode()

    named = [("discount", discount, "A treat &amp; more"), ("multiplier", multiplier, "Twice for Gold")]
    for kind, row, name in named:
        link = reverse(f"admin:rewards_{kind}_change", args=[row.pk])
        assert text.count(f'<a class="lf-link" href="{link}">{name}</a>') == 1
    assert Tier.objects.count() == 2
    assert (discount.tiers.count(), multiplier.tiers.count()) == (2, 1)

    discount.tiers.clear()
    multiplier.tiers.clear()
    assert admin_client.post(address, sent).status_code == 302
    assert Tier.objects.filter(name="Gold").count() == 0


@pytest.mark.django_db
def test_staff_set_a_tier_by_hand_with_a_reason_and_an_end(admin_client, admin_user, now):
    gold = Tier.objects.create(name="Gold", threshold=500)
    who = member(now)
    end = (timezone.now() + timedelta(days=30)).replace(microsecond=0)
    sent = {
        "customer": who.pk,
        "tier": gold.pk,
        "note": "Moved here with us",
        "expires_at_0": timezone.localtime(end).date().isoformat(),
        "expires_at_1": "12:00:00",
    }
    assert admin_client.post(BY_HAND, sent).status_code == 302

    made = Standing.objects.get()
    assert (made.customer, made.tier, made.reason, made.note, made.by) == (
        who,
        gold,
        "by_hand",
        sent["note"],
        admin_user,
    )
    assert who.events.named("tier_changed").get().properties == {"tier": "Gold", "before": "", "reason": "by_hand"}
    assert "Moved here with us" in admin_client.get(HISTORY).content.decode()
    assert (
        "Moved here with us" in admin_client.get(reverse("admin:rewards_tier_change", args=[gold.pk])).content.decode()
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("_case", "joined", "note", "ends", "said"),
    [
        ("not a member", False, "A thank-you", "2999-01-01", "is not a member of the loyalty programme"),
        ("no reason", True, "", "2999-01-01", "This field is required"),
        ("an end that is over", True, "A thank-you", "2020-01-01", "is over. Choose a time to come."),
    ],
)
def test_what_is_refused_by_hand(admin_client, now, _case, joined, note, ends, said):
    gold = Tier.objects.create(name="Gold", threshold=500)
    who = member(now) if joined else factories.customer()
    sent = {"customer": who.pk, "tier": gold.pk, "note": note, "expires_at_0": ends, "expires_at_1": "12:00:00"}
    assert said in admin_client.post(BY_HAND, sent).content.decode()
    assert not Standing.objects.exists()
    assert not who.events.exists()


@pytest.mark.django_db
def test_only_who_may_set_tiers_is_offered_to(now):
    client = signed_in("view_tier", "view_standing")
    assert client.get(BY_HAND).status_code == 403
    assert "Set a tier by hand" not in client.get(HISTORY).content.decode()
