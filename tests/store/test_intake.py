"""Rows on their way in: how cells are read, whom they are about, what changes."""

import json
from datetime import UTC, datetime

import pytest
from django.db import transaction

from loyaltyflow.store.intake import CUSTOMERS, ORDERS, PRODUCTS, Context, Intake, cells
from loyaltyflow.store.models import Cart, Consent, Customer, Event, ExternalId, Order, Product, StoreSettings
from tests import factories


@pytest.fixture
def context(now) -> Context:
    return Context(now=now, zone=now.tzinfo, country="US", source="till")


@pytest.fixture
def take(db, now, context):
    """A function that takes rows in and returns the outcome."""

    def rows_in(kind, *rows):
        with transaction.atomic():
            intake = Intake(kind, context)
            table = {column.name: [row.get(column.name, "") for row in rows] for column in kind.columns}
            intake.add(range(1, len(rows) + 1), table)
            return intake.merge(with_statuses=True)

    return rows_in


@pytest.mark.parametrize("spelling", ["Massachusetts", "mass.", "MA", "  ma ", "US-MA", "MASS"])
def test_spellings_of_a_state_become_its_code(spelling):
    assert cells.state(spelling.strip(), "US") == "MA"


@pytest.mark.parametrize(
    ("spelling", "country", "code"),
    [("N.Y.", "US", "NY"), ("District of  Columbia", "US", "DC"), ("by", "DE", "BY"), ("ON", "CA", "ON")],
)
def test_other_states(spelling, country, code):
    assert cells.state(spelling, country) == code


def test_a_state_that_is_none_is_refused():
    with pytest.raises(ValueError, match="“Massachusets” is not a state of US"):
        cells.state("Massachusets", "US")


@pytest.mark.parametrize(
    ("cell", "number"),
    [("+15551230000", "+15551230000"), ("617 555 0117", "+16175550117"), ("+44 20 7946 0958", "+442079460958")],
)
def test_phone_numbers_become_e164(context, cell, number):
    assert cells.phone(cell, context) == number


@pytest.mark.parametrize("cell", ["abc", "123", "+1", "5550117", "+999999999999999"])
def test_what_is_no_phone_number_is_refused(context, cell):
    with pytest.raises(ValueError, match="is not a phone number"):
        cells.phone(cell, context)


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2026-07-01T12:00:00Z", "2026-07-01T12:00:00+00:00"),
        ("2026-07-01 12:00", "2026-07-01T16:00:00+00:00"),
        ("2026-01-15", "2026-01-15T05:00:00+00:00"),
        ("2026-07-01T12:00:00+02:00", "2026-07-01T10:00:00+00:00"),
        ("2026-11-23T14:18:00", "2026-11-23T19:18:00+00:00"),
    ],
)
def test_times_without_an_offset_are_on_the_stores_clock(context, cell, moment):
    assert cells.moment(cell, context) == moment


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("2026-11-23T14:20:00", "lies in the future"),
        ("9999-12-31T23:59:59-14:00", "before 1900 or after 9000"),
        ("0001-01-01T00:00:00+14:00", "before 1900 or after 9000"),
        ("yesterday", "is not a time"),
        ("2026-02-30", "is not a time"),
    ],
)
def test_times_that_cannot_be_are_refused(context, cell, reason):
    with pytest.raises(ValueError, match=reason):
        cells.moment(cell, context)


@pytest.mark.parametrize(
    ("cell", "birthday"),
    [("1990-04-30", "1990-04-30"), ("04-30", "0000-04-30"), ("--02-29", "0000-02-29"), ("2000-02-29", "2000-02-29")],
)
def test_birthdays(context, cell, birthday):
    assert cells.birthday(cell, context) == birthday


@pytest.mark.parametrize(
    "cell", ["1899-01-01", "2026-12-01", "02-30", "1999-02-29", "30.4.1990", "--13-01", "0000-01-01"]
)
def test_birthdays_that_cannot_be_are_refused(context, cell):
    with pytest.raises(ValueError, match=r"birthday|before 1900"):
        cells.birthday(cell, context)


@pytest.mark.parametrize(
    "cell", ["NaN", "Infinity", "1e5", "1,234.50", "$5", "12345678901", "1.234", "١٢", "1_000", "--1", ""]
)
def test_amounts_that_are_none_are_refused(context, cell):
    with pytest.raises(ValueError, match="is not a number such as"):
        cells.number(10, 2)(cell, context)


@pytest.mark.parametrize("host", ["ü" * 60 + ".de", "\u200b.de", "\u06dd.de"])
def test_an_email_address_that_no_mail_server_knows_is_refused(context, host):
    with pytest.raises(ValueError, match="is not an e-mail address"):
        cells.email(f"ann@{host}", context)


def test_an_email_address_may_have_a_host_of_any_letters(context):
    assert cells.email("Ann@Bücher.example", context) == "ann@bücher.example"


def test_json_in_too_many_layers_is_refused(context):
    nested = ['{"a": ' * (layers - 1) + "1" + "}" * (layers - 1) for layers in (20, 21)]
    assert json.loads(cells.json_object(nested[0], context)) == json.loads(nested[0])
    with pytest.raises(ValueError, match="is nested in more than 20 layers"):
        cells.json_object(nested[1], context)


def test_more_tags_than_anybody_reads_are_refused(context):
    names = [f"t{number}" for number in range(51)]
    assert cells.tags(";".join(names[:50]), context) == ";".join(names[:50])
    with pytest.raises(ValueError, match="has 51 tags; at most 50 fit"):
        cells.tags(";".join(names), context)


def test_a_customer_is_found_by_external_id_then_email_then_phone(take):
    known = factories.customer(email="ann@example.com", phone="+16175550117")
    ExternalId.objects.create(customer=known, source="till", external_id="C-1")

    take(CUSTOMERS, {"external_id": "C-1", "first_name": "Ann"})
    take(CUSTOMERS, {"external_id": "C-2", "email": "ANN@example.com", "last_name": "Lee"})
    take(CUSTOMERS, {"phone": "(617) 555-0117", "gender": "female"})

    customer = Customer.objects.get()
    assert (customer.first_name, customer.last_name, customer.gender) == ("Ann", "Lee", "female")
    assert set(customer.external_ids.values_list("external_id", flat=True)) == {"C-1", "C-2"}


def test_a_shared_phone_does_not_join_two_people(take):
    take(CUSTOMERS, {"external_id": "1", "email": "a@example.com", "phone": "6175550117"})
    outcome = take(
        CUSTOMERS,
        {"external_id": "2", "phone": "6175550117"},
        {"email": "b@example.com", "phone": "6175550117"},
    )
    assert outcome.counts["created"] == 2
    assert Customer.objects.filter(phone="+16175550117").count() == 3


def test_rows_of_one_file_about_one_customer_come_together(take):
    outcome = take(
        CUSTOMERS,
        {"external_id": "1", "email": "a@example.com", "first_name": "An"},
        {"email": "A@example.com", "first_name": "Ann", "last_name": "Lee"},
        {"external_id": "1", "last_name": "Ray"},
    )
    assert outcome.counts == {"created": 1, "updated": 0, "unchanged": 0, "refused": 0}
    customer = Customer.objects.get()
    assert (customer.first_name, customer.last_name, customer.email) == ("Ann", "Ray", "a@example.com")


def test_an_address_of_another_customer_is_refused(take):
    factories.customer(email="ben@example.com")
    take(CUSTOMERS, {"external_id": "1", "email": "ann@example.com"}, {"external_id": "2"}, {"external_id": "3"})
    outcome = take(
        CUSTOMERS,
        {"external_id": "1", "email": "ben@example.com"},
        {"external_id": "2", "email": "new@example.com"},
        {"external_id": "3", "email": "new@example.com"},
    )
    assert outcome.refused == {
        1: "email: the address belongs to another customer.",
        3: "email: line 2 gives it to another customer.",
    }
    assert Customer.objects.get(external_ids__external_id="1").email == "ann@example.com"


def test_a_second_time_changes_nothing(take):
    row = {
        "external_id": "1",
        "email": "a@example.com",
        "birthday": "1990-04-30",
        "loyalty_joined_at": "2026-03-01 10:00",
        "registered_at": "2026-03-01",
        "consent_email": "yes",
        "consent_at": "2026-03-01 10:00",
        "tags": "tea; Tea!",
        "attributes": '{"roast": "dark"}',
    }
    assert take(CUSTOMERS, row).counts == {"created": 1, "updated": 0, "unchanged": 0, "refused": 0}
    told = sorted(Event.objects.values_list("name", flat=True))
    assert told == ["account_registered", "consent_changed", "contact_added", "loyalty_joined", "tag_added"]
    before = Customer.objects.values().get()

    assert take(CUSTOMERS, row).counts == {"created": 0, "updated": 0, "unchanged": 1, "refused": 0}
    assert Customer.objects.values().get() == before
    assert Event.objects.count() == 5
    assert Consent.objects.count() == 1


def test_a_change_updates_and_empty_cells_do_not(take, now):
    take(CUSTOMERS, {"email": "a@example.com", "first_name": "Ann", "birthday": "1990-04-30"})
    outcome = take(CUSTOMERS, {"email": "a@example.com", "last_name": "Lee", "birthday": "04-30"})
    assert outcome.counts["updated"] == 1
    customer = Customer.objects.get()
    assert (customer.name, customer.birth_year, customer.updated_at) == ("Ann Lee", 1990, now)
    assert Event.objects.filter(name="customer_updated").count() == 1

    take(CUSTOMERS, {"email": "a@example.com", "birthday": "05-01"})
    customer.refresh_from_db()
    assert (customer.birth_year, customer.birth_month, customer.birth_day) == (None, 5, 1)


def test_an_undated_yes_never_overrules_a_no(take, now):
    who = factories.customer(email="a@example.com")
    factories.consent(who, datetime(2026, 10, 1, tzinfo=UTC), Consent.Status.OPTED_OUT)

    take(CUSTOMERS, {"email": "a@example.com", "consent_email": "yes"})
    take(CUSTOMERS, {"email": "a@example.com", "consent_email": "yes", "consent_at": "2026-09-01"})
    assert Consent.objects.standing("email", Consent.Status.OPTED_OUT).filter(customer=who).exists()

    take(CUSTOMERS, {"email": "a@example.com", "consent_email": "yes", "consent_at": "2026-10-02"})
    assert Consent.objects.standing("email", Consent.Status.OPTED_IN).filter(customer=who).exists()


@pytest.mark.parametrize(
    ("_case", "rows"),
    [
        ("both undated", [("no", ""), ("yes", "")]),
        ("newest first", [("no", "2026-11-01"), ("yes", "2026-01-01")]),
        ("the yes undated", [("no", "2026-11-01"), ("yes", "")]),
        ("the no undated", [("no", ""), ("yes", "2026-11-01")]),
        ("at the same time", [("no", "2026-11-01"), ("yes", "2026-11-01")]),
    ],
)
@pytest.mark.parametrize("in_one_list", [True, False])
def test_no_other_row_of_the_customer_hides_an_opt_out(take, _case, rows, in_one_list):
    told = [{"email": "a@example.com", "consent_email": word, "consent_at": at} for word, at in rows]
    for some in [told] if in_one_list else [[each] for each in told]:
        take(CUSTOMERS, *some)

    who = Customer.objects.get()
    assert Consent.objects.standing("email", Consent.Status.OPTED_OUT).filter(customer=who).exists()


def test_each_word_has_the_time_and_source_of_its_own_row(take):
    take(
        CUSTOMERS,
        {"email": "a@example.com", "consent_email": "no", "consent_at": "2026-11-01", "consent_source": "letter"},
        {"email": "a@example.com", "consent_sms": "yes", "consent_at": "2026-01-01", "consent_source": "till"},
    )

    words = Consent.objects.order_by("given_at").values_list("channel", "status", "source", "given_at__month")
    assert list(words) == [("sms", "opted_in", "till", 1), ("email", "opted_out", "letter", 11)]


def test_nobody_leaves_before_joining(take):
    take(CUSTOMERS, {"external_id": "1", "loyalty_joined_at": "2026-05-01"})
    outcome = take(
        CUSTOMERS,
        {"external_id": "1", "loyalty_left_at": "2026-04-01"},
        {"external_id": "2", "loyalty_joined_at": "2026-05-01", "loyalty_left_at": "2026-04-01"},
    )
    assert outcome.refused == {
        1: "loyalty_left_at lies before the customer joined.",
        2: "loyalty_left_at lies before loyalty_joined_at.",
    }
    assert Customer.objects.count() == 1


def test_products_are_updated_by_sku(take):
    take(PRODUCTS, {"sku": "TEA", "name": "Tea", "price": "4.50"})
    outcome = take(PRODUCTS, {"sku": "TEA", "price": "5.00"}, {"sku": "MUG"}, {"sku": "MUG", "name": "Blue mug"})
    assert outcome.counts == {"created": 1, "updated": 1, "unchanged": 0, "refused": 0}
    assert list(Product.objects.order_by("sku").values_list("name", "price")) == [("Blue mug", None), ("Tea", 5)]
    assert take(PRODUCTS, {"sku": "TEA", "price": "5"}).counts["unchanged"] == 1


def test_products_that_earn_no_points_stay_so_until_told_otherwise(take):
    take(PRODUCTS, {"sku": "GIFT-50", "earns_points": "no"}, {"sku": "TEA"})
    take(PRODUCTS, {"sku": "GIFT-50", "name": "Gift card"}, {"sku": "TEA", "name": "Tea"})
    assert list(Product.objects.order_by("sku").values_list("name", "earns_points")) == [
        ("Gift card", False),
        ("Tea", True),
    ]


LINE = {
    "order_number": "1",
    "placed_at": "2026-10-01 10:00",
    "completed_at": "2026-10-01 10:00",
    "email": "a@example.com",
}


def test_lines_of_an_order_sum_up(take):
    outcome = take(
        ORDERS,
        {**LINE, "sku": "TEA", "quantity": "2", "line_net": "9.00", "line_discount": "1.00"},
        {"order_number": "1", "sku": "MUG", "line_net": "9.95", "product_name": "Blue mug"},
    )
    assert outcome.counts == {
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "new lines": 2,
        "new customers": 1,
        "refused": 0,
    }
    order = Order.objects.get()
    assert (str(order.net), str(order.discount), order.source) == ("18.95", "1.00", "till")
    assert [(line.number, line.product.name) for line in order.lines.order_by("number")] == [
        (1, "TEA"),
        (2, "Blue mug"),
    ]
    event = Event.objects.get(name="order_completed")
    assert (event.key, event.properties) == (f"order_completed:{order.pk}", {"order": order.pk, "net": "18.95"})
    assert event.occurred_at == order.completed_at


def test_line_numbers_may_have_gaps_and_be_high(take):
    numbers = ["1", "62", "63", "64", "100000"]
    rows = [{**LINE, "sku": "A", "line_net": "1.00", "line_number": number} for number in numbers]
    assert take(ORDERS, *rows).counts["new lines"] == 5
    assert sorted(Order.objects.get().lines.values_list("number", flat=True)) == [1, 62, 63, 64, 100000]


@pytest.mark.parametrize(
    "address", ["ann@example.com", "ann.lee+tea@a-b.example.co.uk", "o'hara@example.com", "a@[127.0.0.1]"]
)
def test_email_addresses(context, address):
    assert cells.email(address.upper(), context) == address


@pytest.mark.parametrize(
    "address", ["ann", "@example.com", "ann@", "ann@-a.com", "ann@a-.com", "a..b@example.com", "a@b@c.com"]
)
def test_what_is_no_email_address_is_refused(context, address):
    with pytest.raises(ValueError, match="is not an e-mail address"):
        cells.email(address, context)


def test_an_order_in_two_steps_completes_once(take):
    placed = {**LINE, "completed_at": "", "net": "20.00"}
    take(ORDERS, placed)
    assert not Event.objects.filter(name="order_completed").exists()
    assert take(ORDERS, {**placed, "completed_at": "2026-10-02 09:00"}).counts["updated"] == 1
    assert take(ORDERS, {"order_number": "1", "shipped_at": "2026-10-03 09:00"}).counts["updated"] == 1
    assert take(ORDERS, {"order_number": "1", "shipped_at": "2026-10-03 09:00"}).counts["unchanged"] == 1
    told = sorted(Event.objects.exclude(name__in=["contact_added", "order_updated"]).values_list("name", flat=True))
    assert told == ["order_completed", "order_placed", "order_shipped"]


@pytest.mark.parametrize(
    ("_case", "rows", "reasons"),
    [
        ("no time", [{"order_number": "1", "email": "a@example.com", "net": "1"}], {1: "placed_at is missing."}),
        (
            "nobody's",
            [{"order_number": "1", "placed_at": "2026-10-01", "net": "1"}],
            {1: "customer_id, email or phone: one of them must say whose order it is."},
        ),
        ("no amount", [LINE], {1: "net: say what was paid, for the order or for its lines."}),
        (
            "no time, two lines",
            [
                {"order_number": "1", "email": "a@example.com", "sku": "A", "line_net": "1"},
                {"order_number": "1", "sku": "B", "line_net": "1"},
            ],
            {1: "placed_at is missing.", 2: "Line 1 of the same order was refused."},
        ),
        (
            "each line its own",
            [
                {**LINE, "sku": "A", "line_net": "1"},
                {**LINE, "sku": "B", "line_net": "1", "discount_code": "ten"},
                {**LINE, "sku": "C", "line_net": "one"},
                {**LINE, "sku": "D", "line_net": "1", "email": "b@example.com"},
            ],
            {
                1: "Line 3 of the same order was refused.",
                2: "Line 3 of the same order was refused.",
                3: "line_net: “one” is not a number such as 12.34 with at most 10 digits and 2 decimals.",
                4: "email: is not the same as on line 1 of the same order.",
            },
        ),
        (
            "refunded too much",
            [{**LINE, "net": "5.00", "refunded": "5.01"}],
            {1: "refunded: more than the net amount was paid back."},
        ),
        (
            "disagreeing rows",
            [{**LINE, "sku": "A"}, {**LINE, "sku": "B", "email": "b@example.com"}],
            {
                1: "Line 2 of the same order was refused.",
                2: "email: is not the same as on line 1 of the same order.",
            },
        ),
        (
            "the same line twice",
            [{**LINE, "sku": sku, "line_number": number} for sku, number in (("A", "1"), ("B", "1"), ("C", "2"))],
            {
                1: "line_number: 1 stands twice in the order.",
                2: "line_number: 1 stands twice in the order.",
                3: "Line 1 of the same order was refused.",
            },
        ),
        (
            "a high line number twice",
            [{**LINE, "sku": sku, "line_number": number} for sku, number in (("A", "70"), ("B", "64"), ("C", "70"))],
            {
                1: "line_number: 70 stands twice in the order.",
                2: "Line 1 of the same order was refused.",
                3: "line_number: 70 stands twice in the order.",
            },
        ),
        (
            "one bad line",
            [{**LINE, "sku": "A"}, {**LINE, "sku": "B", "quantity": "many"}],
            {
                1: "Line 2 of the same order was refused.",
                2: "quantity: “many” is not a number such as 12.34 with at most 9 digits and 3 decimals.",
            },
        ),
        ("no product", [{**LINE, "line_net": "1"}], {1: "sku: say which product was bought."}),
    ],
)
def test_orders_that_cannot_be_are_refused_whole(take, _case, rows, reasons):
    outcome = take(ORDERS, *rows)
    assert outcome.refused == reasons
    assert not Order.objects.exists()
    assert not Customer.objects.exists()
    assert not Event.objects.exists()


def test_the_number_of_statements_does_not_depend_on_the_rows(take, django_assert_max_num_queries):
    def statements(count, start):
        rows = [
            {**LINE, "order_number": str(n), "email": f"c{n}@example.com", "sku": f"S{n}", "line_net": "1"}
            for n in range(start, start + count)
        ]
        with django_assert_max_num_queries(100) as counted:
            assert take(ORDERS, *rows).counts["created"] == count
        return len(counted)

    StoreSettings.load()
    assert statements(3, 0) == statements(3000, 10)


def test_who_has_a_product_in_a_cart_is_told_when_it_becomes_known_or_changes(take, now):
    who, other = factories.customer(), factories.customer()
    for number, (customer, sku) in enumerate([(who, "TEA"), (other, "MUG")]):
        lines = [{"sku": sku, "quantity": 1}]
        Cart.objects.create(source="web", external_id=str(number), customer=customer, lines=lines, updated_at=now)

    take(PRODUCTS, {"sku": "TEA", "category": "Tea"})
    told = Event.objects.filter(name="product_changed")
    assert list(told.values_list("customer", flat=True)) == [who.pk]

    take(PRODUCTS, {"sku": "TEA", "category": "Tea", "name": "Mint tea"})
    assert told.count() == 1


def test_buyers_of_a_product_with_a_new_category_are_told_once(take, now):
    tea, mug, pot = (factories.product(sku=sku, category="Gifts") for sku in ("TEA", "MUG", "POT"))
    both, one, neither = (factories.customer() for _ in range(3))
    factories.order(both, now, "20.00", tea, mug)
    factories.order(both, now, "20.00", tea)
    factories.order(one, now, "20.00", mug)
    factories.order(neither, now, "20.00", pot)

    rows = [
        {"sku": sku, "category": category} for sku, category in (("TEA", "Tea"), ("MUG", "China"), ("POT", "Gifts"))
    ]
    assert take(PRODUCTS, *rows).counts == {"created": 0, "updated": 2, "unchanged": 1, "refused": 0}
    told = Event.objects.filter(name="product_changed")
    assert sorted(told.values_list("customer", "occurred_at", "source")) == [
        (both.pk, now, "till"),
        (one.pk, now, "till"),
    ]

    take(PRODUCTS, *rows, {"sku": "MUG", "name": "Blue mug"})
    assert told.count() == 2
