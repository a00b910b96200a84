"""The import commands, as people call them."""

import csv
import re
import shutil
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from loyaltyflow.management import importing
from loyaltyflow.store.complete_journey.people import households
from loyaltyflow.store.intake import CUSTOMERS, ORDERS, PRODUCTS
from loyaltyflow.store.models import Customer, Event, Order, OrderLine, Product

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = pytest.mark.django_db


def run(command, *arguments, **options):
    out = StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=out, **options)
    return re.sub(r" \(\d+\.\d s\)", "", out.getvalue())


def planned_with(model):
    """How many rows PostgreSQL believes to be in the table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])
        return cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (CUSTOMERS, "Customers: 3 created, 0 updated, 0 unchanged, 0 refused.\n"),
        (PRODUCTS, "Products: 3 created, 0 updated, 0 unchanged, 0 refused.\n"),
        (ORDERS, "Orders: 3 created, 0 updated, 0 unchanged, 4 new lines, 3 new customers, 0 refused.\n"),
    ],
)
def test_the_samples_come_in_and_are_documented(kind, told, tmp_path):
    file = shutil.copy(DOCS / "samples" / f"{kind.name}.csv", tmp_path)
    assert run(f"import_{kind.name}", file) == told
    assert "3 unchanged, 0" in run(f"import_{kind.name}", file)

    section = (DOCS / "importing.md").read_text().split(f"### {kind.name.capitalize()}\n")[1].split("\n#")[0]
    documented = re.findall(r"^\| `(\w+)` \| .*? \| (.*?) \|", section, re.MULTILINE)
    assert documented == [(column.name, column.help) for column in kind.columns]
    with open(file, newline="") as sample:
        assert next(csv.reader(sample)) == [column.name for column in kind.columns]


def test_bad_rows_are_written_beside_the_file_and_good_ones_kept(tmp_path):
    file = tmp_path / "products.csv"
    file.write_bytes(b'sku;price;colour\nA;1.50;red\nB;cheap;blue\n\nC\n"D\n";2;\nE\xff;3;\n;;\n')
    told = run("import_products", file)
    assert told.startswith("Columns without use are left out: colour.\n")
    assert "2 created, 0 updated, 0 unchanged, 4 refused" in told
    with (tmp_path / "products.rejected.csv").open(newline="", errors="surrogateescape") as rejected:
        rows = list(csv.reader(rejected))
    assert rows == [
        ["line", "reason", "sku", "price", "colour"],
        [
            "3",
            "price: “cheap” is not a number such as 12.34 with at most 10 digits and 2 decimals.",
            "B",
            "cheap",
            "blue",
        ],
        ["5", "The line has 1 cells, the first line has 3.", "C"],
        ["8", "sku: has characters that are not UTF-8.", "E\udcff", "3", ""],
        ["9", "sku is missing.", "", "", ""],
    ]
    assert set(Product.objects.values_list("sku", flat=True)) == {"A", "D"}

    file.write_text("sku\nA\n")
    assert "1 unchanged, 0 refused" in run("import_products", file)
    assert not (tmp_path / "products.rejected.csv").exists()


def test_a_quote_that_is_not_closed_is_told(tmp_path):
    file = tmp_path / "products.csv"
    file.write_text('sku,name\nA,Tea\nB,"' + "x" * 200_000)
    assert "1 created, 0 updated, 0 unchanged, 1 refused" in run("import_products", file)
    assert "a quote that is not closed" in (tmp_path / "products.rejected.csv").read_text()


@pytest.mark.parametrize("end", ["", "\n", "\nC,Mug\nD,Cup\n"])
def test_lines_after_a_quote_that_is_not_closed_do_not_become_its_cell(tmp_path, end):
    file = tmp_path / "products.csv"
    file.write_text(f'sku,name\nA,Tea\nB,"Pot{end}')

    assert "1 created, 0 updated, 0 unchanged, 1 refused" in run("import_products", file)

    line, reason = (tmp_path / "products.rejected.csv").read_text().splitlines()[1].split(",", 1)
    assert line == "3"
    assert "look for a quote that is not closed" in reason
    assert Product.objects.get().name == "Tea"


def test_many_new_rows_are_planned_with_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(importing, "MANY", 2)
    file = tmp_path / "products.csv"
    file.write_text("sku\nA\n")
    run("import_products", file)
    assert planned_with(Product) != 1
    file.write_text("sku\nB\nC\n")
    run("import_products", file)
    assert planned_with(Product) == 3


def test_a_dry_run_changes_nothing(tmp_path):
    file = shutil.copy(DOCS / "samples" / "orders.csv", tmp_path)
    assert "This was a dry run" in run("import_orders", file, "--dry-run")
    assert not Order.objects.exists()
    assert not Customer.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("_case", "content", "sentence"),
    [
        ("empty", b"", "has no first line with the names of the columns"),
        ("other columns", b"a,b\n1,2\n", "has none of the columns of products"),
        ("UTF-16", "sku,name\n1,Tea\n".encode("utf-16"), "has none of the columns of products"),
        ("no SKU", b"name\nTea\n", "lacks the column sku"),
        ("twice", b"sku,SKU\n1,2\n", "has the column sku more than once"),
        ("a quote in the names", b'sku,"name\nA,Tea\n', "has no first line with the names of the columns"),
        ("a picture", bytes(range(256)) * 10, "has none of the columns of products"),
    ],
)
def test_a_file_of_no_use_ends_with_one_clear_line(tmp_path, _case, content, sentence):
    file = tmp_path / "products.csv"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=sentence) as error:
        run("import_products", file)
    assert "\n" not in str(error.value)
    assert not Product.objects.exists()


def test_a_missing_file_and_a_folder_end_with_one_clear_line(tmp_path):
    with pytest.raises(CommandError, match="none.csv cannot be opened: No such file or directory"):
        run("import_products", tmp_path / "none.csv")
    with pytest.raises(CommandError, match="cannot be opened: Is a directory"):
        run("import_products", tmp_path)


def test_part_of_the_complete_journey(django_assert_max_num_queries):
    told = run("import_complete_journey", "--limit-households", "3")
    assert Customer.objects.count() == 3
    assert Product.objects.count() == OrderLine.objects.values("product").distinct().count()
    orders, lines = Order.objects.count(), OrderLine.objects.count()
    assert f"{orders:,} orders" in told
    assert lines > orders > 0
    assert Order.objects.filter(net__lt=0).count() == 0
    last = Order.objects.latest("placed_at").placed_at
    assert last <= timezone.now()
    events = Event.objects.count()
    assert planned_with(Order) == orders

    assert "New: 0 customers, 0 products, 0 orders" in run("import_complete_journey", "--limit-households", "3")
    assert (Order.objects.count(), OrderLine.objects.count(), Event.objects.count()) == (orders, lines, events)


def test_the_year_is_moved_by_whole_weeks_on_the_stores_clock():
    complete_journey = pytest.importorskip("loyaltyflow.store.complete_journey.data")
    sales = complete_journey.Sales.load()
    zone = ZoneInfo("America/New_York")
    now = datetime(2026, 11, 23, 14, 14, tzinfo=zone)
    weeks = complete_journey.weeks_to(now, sales)
    times = sales.local_times(weeks, zone)

    assert len(times) == 155_848
    assert timedelta(0) <= now - max(times) < timedelta(weeks=1)
    first = datetime.fromtimestamp(int(sales.of_baskets("seconds")[0]), UTC).astimezone(zone)
    assert times[0].replace(tzinfo=None) - first.replace(tzinfo=None) == timedelta(weeks=weeks)
    assert (times[0].weekday(), times[0].hour) == (first.weekday(), first.hour)


def test_no_two_households_of_the_complete_journey_have_the_same_phone_number():
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    people = households({number: [start] for number in range(1, 2501)}, {}, start + timedelta(days=360))

    phones = [person["phone"] for person in people if person["phone"]]

    assert len(phones) == len(set(phones)) > 2000
    assert all(re.fullmatch(r"\+1\d{3}55501\d\d", phone) for phone in phones)
