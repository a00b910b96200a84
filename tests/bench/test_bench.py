"""Each row of the benchmark runs, and its floor leaves the same rows behind as the product."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from loyaltyflow.bench import dataset, runner
from loyaltyflow.bench.rows import Row
from loyaltyflow.store.models import Customer, Order
from tests import factories

ROWS = {
    "engine.condition",
    "engine.send",
    "engine.award",
    "segments.build",
    "segments.count",
    "segments.refresh",
    "import.orders",
    "render.email",
    "deliver.smtp",
    "ledger.verify",
    "till.commit",
}


@pytest.mark.django_db(transaction=True)
def test_every_row_is_measured_and_its_effects_are_equal():
    # When the whole benchmark runs on a small shop
    out, err = StringIO(), StringIO()
    call_command("bench", "--scale", "2000", "--rounds", "1", stdout=out, stderr=err)

    # Then each row is one JSON line, and nothing else is printed
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert {line["name"] for line in lines} == ROWS
    for line in lines:
        assert list(line) == ["name", "floor_per_s", "product_per_s", "ratio", "peak_rss_mb"]
        assert line["floor_per_s"] > 0
        assert line["product_per_s"] > 0
    assert "engine.send" in err.getvalue()

    # And what the rows wrote beside the shop is gone
    assert Customer.objects.count() == 2000
    assert Order.objects.exclude(source="bench").count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_shop_of_somebody_else_is_refused_and_left_alone():
    # Given a customer that the benchmark did not make
    ann = factories.customer(email="ann@example.com")

    # When it is asked to run, then it refuses
    with pytest.raises(CommandError, match="holds customers that the benchmark did not make"):
        call_command("bench", "engine.send", stdout=StringIO(), stderr=StringIO())

    # And nothing changed
    assert list(Customer.objects.values_list("pk", flat=True)) == [ann.pk]


def test_an_unknown_row_is_named_with_the_known_ones():
    with pytest.raises(
        CommandError, match=r"There is no row 'engine\.fly'\. The rows are deliver\.smtp, engine\.award"
    ):
        call_command("bench", "engine.fly", stdout=StringIO(), stderr=StringIO())


class Careless(Row):
    """A row whose product does less than its floor."""

    name = "careless"
    unit = "things"
    target = 1.0

    def floor(self) -> int:
        return 10

    def product(self) -> int:
        return 9


def test_a_product_that_does_less_than_its_floor_is_not_measured():
    row = Careless(dataset.DataSet(10))
    with pytest.raises(runner.EffectsDiffer, match="things after the product: 9; after the other: 10"):
        runner.measure(row, 1, lambda line: None)


@pytest.mark.parametrize(
    ("_case", "is_share", "ratio", "expected"),
    [("faster than asked", False, 0.8, True), ("slower", False, 0.6, False), ("small share of time", True, 0.6, True)],
)
def test_a_ratio_is_judged_by_what_it_means(_case, is_share, ratio, expected):
    kind = type("Kind", (Row,), {"target": 0.7, "is_share_of_time": is_share})
    assert runner.reaches(kind, runner.Result("x", 1, 1, ratio, 1)) is expected
