"""Files of customers that are put into a static segment, or taken out."""

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyaltyflow.store.intake import Context
from loyaltyflow.store.intake.files import CannotBeRead
from loyaltyflow.store.models import Customer, Event, ExternalId, StoreSettings
from segments import by_hand, lists
from segments.models import Membership, RejectedRow, Segment, Upload
from tests import factories

pytestmark = pytest.mark.django_db
MONTH = timedelta(days=31)


@pytest.fixture
def club():
    return Segment.objects.create(name="Club", kind=Segment.Kind.STATIC)


@pytest.fixture
def people():
    """Anna with a number in the shop system, Ben with a phone, Cleo with an address only."""
    anna = factories.customer(first_name="Anna", email="anna@example.com")
    ExternalId.objects.create(customer=anna, source="shopify", external_id="1001")
    factories.customer(first_name="Ben", email="", phone="+16175550101")
    return [anna, factories.customer(first_name="Cleo", email="cleo@example.com")]


def send(segment, text, now, name="list.csv", **options):
    context = Context.of(StoreSettings.load(), now, "upload")
    file = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    return lists.take(segment, file, name, context, None, **options)


def members(segment):
    open_ones = Membership.objects.open().filter(segment=segment)
    return set(open_ones.values_list("customer__first_name", flat=True))


def figures(upload):
    return (upload.moved, upload.unchanged, upload.rejected)


@pytest.mark.parametrize(
    ("_case", "text", "expected"),
    [
        ("addresses, no header", "anna@example.com\nCLEO@example.com\n", {"Anna", "Cleo"}),
        ("addresses with a header", "E-mail\nanna@example.com\n", {"Anna"}),
        ("one line without an end", "cleo@example.com", {"Cleo"}),
        ("a byte order mark and semicolons", "\ufeffemail;name\ncleo@example.com;Cleo\n", {"Cleo"}),
        ("phones, as people write them", "(617) 555-0101\n", {"Ben"}),
        ("phones with a header", "phone\n617 555 0101\n", {"Ben"}),
        ("a phone as our export writes it", "phone\n'+16175550101\n", {"Ben"}),
        ("numbers of another system", "1001\n", {"Anna"}),
        ("numbers with their system", "source,external_id\nshopify,1001\n", {"Anna"}),
        ("several columns", "email,phone\n,6175550101\ncleo@example.com,\n", {"Ben", "Cleo"}),
        ("addresses among other columns, no header", "1,Anna Lee,anna@example.com\n", {"Anna"}),
        ("blank lines", "email\n\nanna@example.com\n\n", {"Anna"}),
    ],
)
def test_customers_are_found(_case, text, expected, club, people, now):
    upload = send(club, text, now)

    assert members(club) == expected
    assert figures(upload) == (len(expected), 0, 0)
    club.refresh_from_db()
    assert club.members_now == len(expected)
    assert Customer.objects.count() == 3


def test_each_rejected_row_has_its_line_and_its_reason(club, people, now):
    text = (
        "email,note\nanna@example.com,good\nnobody@example.com,unknown\nanna@,malformed\nANNA@example.com,twice\n"
        ",empty\nanna@example.com\n"
    )

    upload = send(club, text, now)

    assert figures(upload) == (1, 0, 5)
    assert list(upload.rejected_rows.values_list("line", "reason", "cells")) == [
        (3, "No customer has the e-mail address “nobody@example.com”.", "nobody@example.com,unknown"),
        (4, "email: “anna@” is not an e-mail address.", "anna@,malformed"),
        (5, "Line 2 names the same customer.", "ANNA@example.com,twice"),
        (6, "The row names nobody: its e-mail address, phone number and number are empty.", ",empty"),
        (7, "The line has 1 cells, the first line has 2.", "anna@example.com"),
    ]
    report = "".join(lists.rejected_rows(upload)).split("\r\n")
    assert report[0] == "line,reason,email,note"
    assert report[1] == "3,No customer has the e-mail address “nobody@example.com”.,nobody@example.com,unknown"


def test_the_same_file_twice_changes_nothing(club, people, now):
    text = "anna@example.com\ncleo@example.com\n"
    send(club, text, now)
    before = list(Membership.objects.values()), list(Event.objects.values())

    again = send(club, text, now + MONTH)

    assert figures(again) == (0, 2, 0)
    assert (list(Membership.objects.values()), list(Event.objects.values())) == before


def test_a_file_takes_customers_out(club, people, now):
    by_hand.put_in(club, Customer.objects.exclude(first_name="Ben"), now - MONTH)

    upload = send(club, "email,phone\nanna@example.com,\n,6175550101\n", now, takes_out=True)

    assert members(club) == {"Cleo"}
    assert figures(upload) == (1, 1, 0)
    club.refresh_from_db()
    assert club.members_now == 1
    assert figures(send(club, "anna@example.com", now, takes_out=True)) == (0, 1, 0)


def test_it_is_told_who_sent_it(club, people, now):
    dana = User.objects.create_user("dana")
    context = Context.of(StoreSettings.load(), now, "upload")

    upload = lists.take(club, io.BytesIO(b"anna@example.com"), "vips.csv", context, dana)

    event = Event.objects.get()
    assert (event.name, event.source, event.occurred_at) == ("segment_entered", "segments: by hand", now)
    assert event.properties == {"segment": club.pk, "by": "dana"}
    assert (upload.by, upload.file_name, upload.at) == (dana, "vips.csv", now)


def test_a_number_that_two_systems_give_to_two_customers_needs_its_system(club, people, now):
    ExternalId.objects.create(customer=people[1], source="till", external_id="1001")

    upload = send(club, "1001\n", now)

    assert figures(upload) == (0, 0, 1)
    assert "Several customers are called “1001”. Add a column “source”" in upload.rejected_rows.get().reason
    assert members(club) == set()
    assert figures(send(club, "source,external_id\ntill,1001\n", now)) == (1, 0, 0)
    assert members(club) == {"Cleo"}


@pytest.mark.parametrize(
    ("_case", "file", "reason"),
    [
        ("empty", b"", "nothing in its first line"),
        ("blank", b"\n\n", "nothing in its first line"),
        ("a workbook", b"PK\x03\x04\x00\x00", "not a CSV file"),
        ("an open quote", b'"anna@example.com', "cannot be split into cells"),
    ],
)
def test_a_file_of_no_use_is_refused_whole(_case, file, reason, club, now):
    with pytest.raises(CannotBeRead, match=reason):
        send(club, file, now)
    assert not Upload.objects.exists()


def test_bytes_that_are_no_text_are_rejected_row_by_row(club, people, now):
    upload = send(club, b"email\nanna@example.com\nb\xe4\x00r@example.com\n", now)

    assert figures(upload) == (1, 0, 1)
    assert members(club) == {"Anna"}


def test_formulas_in_rejected_rows_are_harmless(club, now):
    upload = send(club, 'email,note\n=1+1,"=HYPERLINK(""http://example.com"")"\n+1 617 555 0101,@x\n', now)

    assert list(upload.rejected_rows.values_list("cells", flat=True)) == [
        '\'=1+1,"\'=HYPERLINK(""http://example.com"")"',
        "+1 617 555 0101,'@x",
    ]


@pytest.mark.parametrize("archived", [False, True])
def test_only_a_segment_that_is_filled_by_hand_takes_a_file(archived, people, now):
    known = {"kind": Segment.Kind.STATIC, "archived_at": now} if archived else {}
    segment = Segment.objects.create(name="Lost", **known)

    with pytest.raises(ValidationError):
        send(segment, "anna@example.com", now)
    assert not Upload.objects.exists()
    assert not Membership.objects.exists()


def test_rejected_rows_are_forgotten_after_a_month(club, people, now):
    old = send(club, "nobody@example.com", now - MONTH)
    send(club, "nobody@example.com", now)

    old.refresh_from_db()
    assert (old.rejected, old.rejected_rows.count()) == (1, 0)
    assert RejectedRow.objects.count() == 1


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(club, now):
    def statements(count):
        people = Customer.objects.bulk_create(Customer(email=f"{count}.{n}@example.com") for n in range(count))
        text = "".join(f"{who.email}\n{who.email}\nunknown.{who.email}\n" for who in people)
        with CaptureQueriesContext(connection) as captured:
            assert figures(send(club, text, now)) == (count, 0, 2 * count)
        return len(captured)

    StoreSettings.load()
    assert statements(5) == statements(3_000)
