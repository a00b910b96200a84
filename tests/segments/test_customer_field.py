from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.urls import reverse

from loyaltyflow.store.intake import CUSTOMERS, Context, Intake
from loyaltyflow.store.models import Customer, StoreSettings
from segments import refresh
from segments.comparisons.text import READ
from segments.conditions.customer_field import CustomerField
from segments.conditions.lives_out_of_state import LivesOutOfState
from tests import factories

from .tree import met_by, segment

pytestmark = pytest.mark.django_db


def test_a_state_in_three_spellings_is_one_state(now):
    names = {"Anna": "Massachusetts", "Ben": "mass.", "Cleo": "MA", "Dan": "NH", "Eve": ""}
    with transaction.atomic():
        intake = Intake(CUSTOMERS, Context.of(StoreSettings.load(), now, "till"))
        people = {
            "first_name": [*names],
            "state": [*names.values()],
            "email": [f"{name}@example.com" for name in names],
        }
        intake.add([1, 2, 3, 4, 5], people)
        assert intake.merge().refused == {}

    assert met_by(CustomerField(value="MA"), now) == {"Anna", "Ben", "Cleo"}
    assert met_by(LivesOutOfState(where="inside"), now) == {"Anna", "Ben", "Cleo"}
    assert met_by(LivesOutOfState(), now) == {"Dan"}


@pytest.mark.parametrize(
    ("_case", "store", "expected"),
    [
        ("in the same state", {"state": "NH"}, {"Anna", "Cleo"}),
        ("of another country", {"state": "MA", "country": "AU"}, {"Anna", "Ben", "Cleo", "Dan"}),
        ("whose state is not known", {"state": ""}, set()),
    ],
)
def test_out_of_state_is_seen_from_the_store(_case, store, expected, now):
    StoreSettings.objects.update_or_create(pk=1, defaults=store)
    for name, state, country in (("Anna", "MA", "US"), ("Ben", "NH", ""), ("Cleo", "VT", ""), ("Dan", "nh", "us")):
        factories.customer(first_name=name, state=state, country=country)
    factories.customer(first_name="Nobody knows")
    outside = met_by(LivesOutOfState(), now)

    inside = met_by(LivesOutOfState(where="inside"), now)

    assert outside == expected
    assert inside == ({"Anna", "Ben", "Cleo", "Dan"} - expected if store["state"] else set())


@pytest.mark.django_db(transaction=True)
def test_a_store_that_moves_has_everybody_judged_again(now):
    for name, state in (("Anna", "MA"), ("Ben", "NH")):
        factories.customer(first_name=name, state=state)
    tourists = segment(LivesOutOfState.objects.create(), "Tourists")
    refresh.refresh(now)
    assert [each.customer.first_name for each in tourists.memberships.open()] == ["Ben"]

    StoreSettings.objects.update(state="NH")

    assert refresh.refresh(now + timedelta(minutes=1)) == {"built": 0, "entered": 1, "left": 1}
    assert [each.customer.first_name for each in tourists.memberships.open()] == ["Anna"]


@pytest.mark.parametrize(
    ("_case", "country", "state", "kept"),
    [("as it is", "US", "NH", "NH"), ("in small letters", "US", "nh", "NH"), ("of a country like any", "AT", "9", "9")],
)
def test_the_store_is_in_a_real_state(_case, country, state, kept):
    store = StoreSettings(country=country, state=state)
    store.full_clean()

    assert store.state == kept


@pytest.mark.parametrize("state", ["99", "XX"])
def test_a_state_that_does_not_exist_is_refused(state, admin_client):
    before = StoreSettings.load()
    sent = {each: getattr(before, each) for each in ("name", "time_zone", "locale", "country", "currency")}
    response = admin_client.post(reverse("admin:store_storesettings_change", args=[1]), sent | {"state": state})

    assert f"“{state}” is not a state of US, such as MA or Massachusetts." in response.content.decode()
    assert StoreSettings.load().state == "MA"


@pytest.mark.parametrize(
    ("_case", "phone", "is_known"),
    [("none", "", False), ("no number", "abc", False), ("a number", "+15551230000", True), ("too short", "+1", False)],
)
def test_a_phone_number_is_known_if_it_is_one(_case, phone, is_known, now):
    factories.customer(first_name="Anna", phone=phone)

    assert bool(met_by(CustomerField(field="phone", operator="is_set"), now)) is is_known
    assert bool(met_by(CustomerField(field="phone", operator="is_not_set"), now)) is not is_known
    assert bool(met_by(CustomerField(field="phone", operator="is_not", value="1"), now)) is is_known


@pytest.mark.parametrize(
    ("_case", "fields", "value"),
    [
        ("a state by its name", {"value": "Massachusetts"}, "MA"),
        ("states", {"operator": "in_list", "value": "ma, New Hampshire ,VT,"}, "MA, NH, VT"),
        ("what is no state here", {"value": "Bayern"}, "Bayern"),
        ("a country by its name", {"field": "country", "value": "United States"}, "US"),
        ("a phone number as people write it", {"field": "phone", "value": "617 555-0117"}, "+16175550117"),
        ("its beginning", {"field": "phone", "operator": "starts_with", "value": "+1 (617)"}, "+1617"),
        ("a pattern is left alone", {"field": "phone", "operator": "matches", "value": r"^\+1 ?"}, r"^\+1 ?"),
    ],
)
def test_values_are_written_as_customers_have_them(_case, fields, value):
    condition = CustomerField(**fields)
    condition.full_clean()

    assert condition.value == value


def test_a_value_that_no_customer_has_is_warned_of():
    factories.customer(state="MA")

    assert CustomerField(value="ma").warnings() == []
    assert CustomerField(operator="in_list", value="MA, NH").warnings() == ["No customer has the state “NH” yet."]
    assert CustomerField(operator="starts_with", value="X").warnings() == []


@pytest.mark.parametrize("sign", ["%", "_", "\\"])
@pytest.mark.parametrize("operator", ["contains", "starts_with", "ends_with"])
def test_signs_that_like_knows_are_signs_like_any_other(sign, operator, now):
    factories.customer(first_name="a", last_name="Lee")
    factories.customer(first_name="b", last_name=f"{sign}Lee{sign}")

    assert met_by(CustomerField(field="last_name", operator=operator, value=sign), now) == {"b"}


@pytest.mark.parametrize(
    ("_case", "pattern", "message"),
    [
        ("cannot be read", "(", "parentheses"),
        ("is long", "a" * 201, "it has 201 characters; at most 200 fit"),
        ("asks for the same once more", r"(a+)+\1", "which ask for the same text once more"),
        ("is too much", "((a{1,200}){1,200}){1,200}", "too complex|too long"),
        ("holds what cannot be stored", "a\0", "Null characters"),
    ],
)
def test_patterns_that_are_refused(_case, pattern, message):
    with pytest.raises(ValidationError, match=message):
        CustomerField(operator="matches", value=pattern).full_clean()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        assert cursor.fetchone() == ("0",)


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [(r"^\\1", r"\1 Elm", "1 Elm"), ("(a|aa)+$", "Anna", "Ben"), ("^0[12][0-9]{3}$", "02138", "03801")],
)
def test_patterns_that_are_taken(pattern, fitting, other, now):
    factories.customer(first_name="Fitting", last_name=fitting)
    factories.customer(first_name="Other", last_name=other)
    condition = CustomerField(field="last_name", operator="matches", value=pattern)
    condition.full_clean()

    assert met_by(condition, now) == {"Fitting"}


def test_a_pattern_reads_the_beginning_of_a_text(now):
    """The columns of customers are shorter; attributes may be long."""
    factories.customer(first_name="Anna", email="anna@example.com")
    assert met_by(CustomerField(field="email", operator="matches", value="^ANNA@.*com$"), now) == {"Anna"}
    assert max(field.max_length or 0 for field in Customer._meta.concrete_fields) < READ


def test_an_address_is_found_by_the_index_of_addresses(now):
    condition = CustomerField(field="email", operator="is", value="Anna@example.com")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Customer.objects.filter(condition.q(now)).explain()

    assert "one_customer_per_email_without_case" in plan


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": "MA"}, "Lives in <b>Massachusetts</b>"),
        ({"operator": "is_not", "value": "MA"}, "Has a state other than <b>Massachusetts</b>"),
        (
            {"operator": "in_list", "value": "MA, NH, VT"},
            "Lives in <b>Massachusetts</b>, <b>New Hampshire</b> or <b>Vermont</b>",
        ),
        ({"value": "Atlantis"}, "Lives in <b>Atlantis</b>"),
        ({"operator": "starts_with", "value": "MA"}, "Has a state that starts with “<b>MA</b>”"),
        ({"field": "country", "value": "US"}, "Lives in <b>US</b>"),
        ({"field": "country", "operator": "is_not_set"}, "Has <b>no known country</b>"),
        ({"field": "email", "operator": "contains", "value": "@"}, "Has an e-mail address that contains “<b>@</b>”"),
        ({"field": "phone", "operator": "is_set"}, "Has a phone number that <b>is known</b>"),
        ({"field": "gender", "operator": "is_not_set"}, "Has <b>no known gender</b>"),
    ],
)
def test_it_says_what_it_asks(fields, said):
    assert CustomerField(**fields).sentence() == said
