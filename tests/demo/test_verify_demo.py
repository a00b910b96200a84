"""The demo's points, worked out a second time without the ledger."""

from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from loyaltyflow import demo
from loyaltyflow.store import duplicates
from loyaltyflow.store.models import Refund
from rewards.models import Adjustment, Entry, Voucher

MOVES = {"earn", "redeem", "refund_reversal", "redeem_reversal", "manual_add", "manual_remove"}


@pytest.mark.django_db(transaction=True)
def test_what_the_dashboard_says_the_demos_points_are_worth_follows_from_the_files(capsys):
    said: list[str] = []
    demo.build(said.append, households=50, days=24)

    assert said[-1].startswith("The ledger adds up: ")
    assert "I1 to I9 hold" in said[-1]
    call_command("verify_demo")
    _proof, shown, counted = capsys.readouterr().out.splitlines()[-3:]
    assert shown.split("$")[1].split()[0] == counted.split("$")[1].split()[0]

    assert set(Entry.objects.values_list("kind", flat=True).distinct()) >= MOVES
    assert Counter(Adjustment.objects.values_list("state", flat=True))["pending"] == 1
    assert Counter(Adjustment.objects.values_list("state", flat=True))["refused"] == 1
    assert set(Voucher.objects.values_list("state", flat=True)) >= {"issued", "redeemed"}
    assert Refund.objects.exists()
    assert len(duplicates.found()) == 1

    before = Entry.objects.count()
    demo.build(said.append, households=50, days=24)
    assert Entry.objects.count() == before

    Refund.objects.all().delete()  # as if the ledger had taken points back for nothing
    with pytest.raises(CommandError, match="They are not the same"):
        call_command("verify_demo")
