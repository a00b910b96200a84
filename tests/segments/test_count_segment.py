import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from segments.conditions import Condition
from segments.models import Segment
from tests import factories

pytestmark = pytest.mark.django_db
TEXT = "name: Recent\nconditions:\n  made_purchase: {window_days: 7}\n"


@pytest.fixture
def shop(now):
    """Anna bought 3 days ago, Ben 10 days ago, Cleo never did; in the folder stands who bought in the past 7 days."""
    factories.order(factories.customer(first_name="Anna"), now - timedelta(days=3))
    factories.order(factories.customer(first_name="Ben"), now - timedelta(days=10))
    factories.customer(first_name="Cleo")


@pytest.fixture
def counted(tmp_path):
    def counted(text, *arguments):
        """What the command writes about a file with the text: its output, and its error stream."""
        file, out, err = tmp_path / "segment.yaml", StringIO(), StringIO()
        file.write_text(text)
        call_command("count_segment", str(file), *arguments, stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    return counted


@pytest.mark.parametrize(
    ("moment", "held", "words"),
    [
        ("2026-11-23T14:14", 1, "Nov 23, 2:14 pm: 1 of 3 (33.3%)."),
        ("2026-11-23T19:14+00:00", 1, "Nov 23, 2:14 pm: 1 of 3 (33.3%)."),
        ("2026-11-20T15:00", 2, "Nov 20, 3:00 pm: 2 of 3 (66.7%)."),
        ("2026-11-20T14:13:59", 1, "Nov 20, 2:13 pm: 1 of 3 (33.3%)."),
        ("2026-11-01", 0, "Nov 1, 12:00 am: 0 of 3 (0.0%)."),
        ("2027-01-01", 0, "Jan 1, 2027, 12:00 am: 0 of 3 (0.0%)."),
    ],
)
def test_customers_are_counted_as_of_any_instant_and_nothing_is_saved(moment, held, words, shop, counted):
    out, err = counted(TEXT, "--now", moment)

    assert out == f"{held}\n"
    assert err == f"Customers who made at least 1 purchase in the past 7 days, on {words}\n"
    assert (Segment.objects.count(), Condition.objects.count()) == (0, 0)


def test_json_says_all_in_a_line(shop, counted):
    out, err = counted(TEXT, "--json", "--now", "2026-11-23T14:14")

    assert (json.loads(out), err) == (
        {
            "name": "Recent",
            "now": "2026-11-23T14:14:00-05:00",
            "customers": 1,
            "of": 3,
            "summary": "Customers who made at least 1 purchase in the past 7 days.",
        },
        "",
    )


def test_several_segments_are_told_by_name_and_one_that_is_asked_for_but_not_kept_is_pointed_out(shop, counted):
    asking = "---\nname: Others\nconditions: {none_of: [{in_segment: {other: Recent}}]}\n"

    out, err = counted(TEXT + asking, "--now", "2026-11-23T14:14")

    assert out == "1\tRecent\n3\tOthers\n"
    assert "“Recent” is not active here, so only those who were in it before count as its members." in err


def test_a_change_of_a_segment_that_exists_is_counted_without_changing_it(shop, counted):
    held = Segment.objects.create(name="Recent", description="As it was")

    out, _err = counted(TEXT, "--now", "2026-11-23T14:14")

    held.refresh_from_db()
    assert (out, held.description, held.root) == ("1\n", "As it was", None)


@pytest.mark.parametrize(
    ("text", "arguments", "reason"),
    [
        (TEXT, ["--now", "yesterday"], "--now expects a moment such as 2026-11-23T14:00, .* not “yesterday”."),
        (TEXT, ["--now", "0001-01-01"], "--now expects a moment .* in a year from 1900 to 2200, not “0001-01-01”."),
        ("name: A\nconditions: 5", [], "segment.yaml, line 2: conditions: expected one condition"),
    ],
)
def test_what_makes_no_sense_is_refused(text, arguments, reason, counted):
    with pytest.raises(CommandError, match=reason):
        counted(text, *arguments)


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(CommandError, match="gone.yaml cannot be read: No such file or directory."):
        call_command("count_segment", "gone.yaml")
