"""What comes in over the API."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from loyaltyflow.api import body
from loyaltyflow.models import Answer, ApiKey
from loyaltyflow.store.models import Cart, Consent, Customer, Event, Order, OrderLine, Product


def results(response):
    assert response.status_code == 200, response.content
    return [(row["status"], row["errors"]) for row in response.json()["results"]]


def test_a_single_object_and_a_list_are_taken_in(send):
    assert results(send("customers", {"email": "Ann@Example.com", "tags": ["VIP"], "consent_email": True})) == [
        ("created", [])
    ]
    ann = {"email": "ann@example.com", "state": "mass.", "attributes": {"pet": "dog"}}
    assert results(send("customers", [ann, {"phone": "6175550117"}])) == [("updated", []), ("created", [])]

    customer = Customer.objects.get(email="ann@example.com")
    assert (customer.state, customer.attributes) == ("MA", {"pet": "dog"})
    assert list(customer.taggings.values_list("tag__name", flat=True)) == ["vip"]
    assert list(customer.consents.values_list("channel", "status")) == [("email", Consent.Status.OPTED_IN)]
    assert Customer.objects.get(phone="+16175550117").email == ""


def test_a_bad_row_does_not_lose_the_others(send):
    rows = [
        {"sku": "A", "price": "1.50"},
        {"name": "no sku"},
        7,
        {"sku": ["x"]},
        {"sku": "B", "price": "NaN"},
        {"sku": "C"},
    ]
    assert results(send("products", rows)) == [
        ("created", []),
        ("rejected", ["sku is missing."]),
        ("rejected", ["Expected an object, found a number."]),
        ("rejected", ["sku: expected a text, found a list."]),
        (
            "rejected",
            ["price: “NaN” is not a number such as 12.34 with at most 10 digits and 2 decimals."],
        ),
        ("created", []),
    ]
    assert set(Product.objects.values_list("sku", flat=True)) == {"A", "C"}


def test_an_order_with_lines_makes_its_customer_and_products(send):
    order = {
        "source": "web",
        "order_number": "W-1",
        "email": "new@example.com",
        "placed_at": "2026-10-01T10:00:00Z",
        "completed_at": "2026-10-01T10:01:00Z",
        "unknown": {"left": "out"},
        "lines": [{"sku": "TEA", "quantity": 2, "net": 9.0}, {"sku": "MUG", "net": "9.95", "discount": "1.00"}],
    }
    assert results(send("orders", order)) == [("created", [])]
    assert results(send("orders", order)) == [("unchanged", [])]
    made = Order.objects.get()
    assert (str(made.net), str(made.discount), made.customer.email) == ("18.95", "1.00", "new@example.com")
    assert list(made.lines.order_by("number").values_list("number", "product__sku")) == [(1, "TEA"), (2, "MUG")]

    order["lines"] = order["lines"][:1]
    assert results(send("orders", order)) == [("updated", [])]
    assert OrderLine.objects.get().product.sku == "TEA"
    assert str(Order.objects.get().net) == "9.00"
    names = ["contact_added", "order_completed", "order_placed", "order_updated"]
    assert sorted(Event.objects.values_list("name", flat=True)) == names


def test_a_bad_line_refuses_its_order_whole(send):
    lines = [{"sku": "TEA", "net": "1.00"}, {"sku": "MUG", "net": "much"}]
    order = {"order_number": "1", "email": "a@example.com", "placed_at": "2026-10-01", "lines": lines}
    ((status, errors),) = results(send("orders", order))
    assert (status, len(errors)) == ("rejected", 1)
    assert errors[0].startswith("line_net: “much” is not a number")
    assert not Order.objects.exists()
    assert not Customer.objects.exists()


def test_more_lines_than_a_request_may_have_are_refused(send, monkeypatch):
    monkeypatch.setattr("loyaltyflow.api.rows.LINES_ALLOWED", 4)
    known = {"email": "a@example.com", "placed_at": "2026-10-01"}
    line = {"sku": "TEA", "net": "5.00"}
    orders = [
        {**known, "order_number": name, "lines": [line] * count} for name, count in (("A", 2), ("B", 3), ("C", 1))
    ]

    first, second, third = results(send("orders", orders))

    assert first == third == ("created", [])
    assert second == ("rejected", ["lines: a request may have 4; send fewer at once."])
    assert sorted(Order.objects.values_list("external_id", flat=True)) == ["A", "C"]


def test_the_same_order_twice_in_a_list_is_refused_the_second_time(send):
    order = {"order_number": "1", "email": "a@example.com", "placed_at": "2026-10-01", "net": "5"}
    first, second = results(send("orders", [order, order]))
    assert first == ("created", [])
    assert second == ("rejected", ["order_number: row 0 of this list is the same order."])


def test_the_same_request_again_gets_the_stored_answer(send):
    first = send("customers", {"email": "a@example.com"}, key="one")
    again = send("customers", {"email": "a@example.com"}, key="one")
    assert again.json() == first.json() == {"results": [{"row": 0, "status": "created", "errors": []}]}
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers

    other = send("customers", {"email": "b@example.com"}, key="one")
    assert other.status_code == 422
    assert "new key" in other.json()["error"]["detail"]
    assert Customer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_request_at_work_is_a_conflict(send, secret):
    key = ApiKey.objects.get()

    def hold_and_send():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"{key.pk}:busy"])
        with ThreadPoolExecutor(1) as pool:
            response = pool.submit(in_thread, send, "customers", {"email": "a@example.com"}, "busy").result()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
        return response

    assert hold_and_send().status_code == 409
    assert not Customer.objects.exists()
    assert in_thread(send, "customers", {"email": "a@example.com"}, "busy").status_code == 200


def in_thread(send, *arguments):
    try:
        return send(*arguments)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_the_same_event_posted_five_times_at_once_is_one_row(send):
    event = {
        "name": "page_visited",
        "source": "web",
        "event_id": "e-1",
        "email": "new@example.com",
        "occurred_at": "2026-10-01T10:00:00Z",
        "properties": {"url": "/tea"},
    }
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: results(in_thread(send, "events", event)), range(5)))
    assert sorted(answers) == [[("created", [])]] + [[("unchanged", [])]] * 4
    assert Event.objects.get(name="page_visited").customer == Customer.objects.get(email="new@example.com")
    assert Event.objects.filter(name="contact_added").count() == 1


def test_an_answer_and_its_effect_are_one_transaction(send, monkeypatch):
    def dies(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr("loyaltyflow.api.once._response", dies)
    with pytest.raises(KeyboardInterrupt):
        send("customers", {"email": "a@example.com"}, key="one")
    assert not Customer.objects.exists()
    assert not Answer.objects.exists()
    monkeypatch.undo()
    assert results(send("customers", {"email": "a@example.com"}, key="one")) == [("created", [])]


EVENT = {"email": "a@example.com", "occurred_at": "2026-10-01T10:00:00Z"}


@pytest.mark.parametrize(
    ("_case", "event", "reason"),
    [
        ("unknown name", {"name": "moon_landed"}, "name: “moon_landed” is not in the event catalogue"),
        ("our own", {"name": "points_earned"}, "name: points_earned is recorded by LoyaltyFlow itself"),
        ("nobody", {"name": "app_installed", "email": ""}, "customer_id, email or phone: one of them must say"),
        ("no time", {"name": "app_installed", "occurred_at": None}, "occurred_at is missing."),
        ("the future", {"name": "app_installed", "occurred_at": "2999-01-01"}, "occurred_at: “2999-01-01” lies in the"),
        ("wrong type", {"name": "page_visited", "properties": {"url": 7}}, "properties: url must be a text, not “7”."),
        ("not an object", {"name": "page_visited", "properties": [1]}, "properties: expected an object, found a list."),
        (
            "cart without id",
            {"name": "cart_updated", "properties": {"items": 1}},
            "properties: cart must be the cart's id",
        ),
        (
            "half a thing",
            {"name": "cart_updated", "properties": {"cart": "c", "items": 0.5}},
            "properties: items must be",
        ),
    ],
)
def test_an_event_must_fit_the_catalogue(send, _case, event, reason):
    ((status, errors),) = results(send("events", {**EVENT, **event}))
    assert status == "rejected"
    assert errors[0].startswith(reason)
    assert not Event.objects.exists()


def test_a_late_event_keeps_the_time_it_happened(send):
    assert results(send("events", {**EVENT, "name": "survey_answered", "properties": {"score": 9}})) == [
        ("created", [])
    ]
    event = Event.objects.get(name="survey_answered")
    assert event.occurred_at == datetime(2026, 10, 1, 10, tzinfo=UTC)
    assert event.recorded_at > event.occurred_at


def test_account_registered_counts_once_for_each_customer(send):
    first = {**EVENT, "name": "account_registered", "event_id": "1"}
    assert results(send("events", [first, {**first, "event_id": "2"}])) == [("created", []), ("unchanged", [])]
    assert Customer.objects.get().registered_at == datetime(2026, 10, 1, 10, tzinfo=UTC)
    assert results(send("customers", {"email": "a@example.com", "registered_at": "2026-10-02"})) == [("updated", [])]
    assert Event.objects.filter(name="account_registered").count() == 1


def test_whose_cart_turns_out_to_be_somebody_elses_has_it_no_longer(send):
    event = {"name": "cart_updated", "source": "web", "occurred_at": "2026-10-01T10:00:00Z"}
    properties = {"cart": "c-1", "items": 2, "value": 12.5}
    send("events", {**event, "email": "a@example.com", "properties": properties})
    send("events", {**event, "email": "b@example.com", "properties": {**properties, "items": 3}})

    told = Event.objects.filter(name="cart_updated").order_by("pk").values_list("customer__email", "properties__items")
    assert [*told] == [("a@example.com", 2), ("b@example.com", 3), ("a@example.com", 0)]
    assert Cart.objects.get().customer.email == "b@example.com"


def test_a_cart_is_never_told_ahead(send):
    ahead = (timezone.now() + timedelta(minutes=4)).isoformat()
    event = {"name": "cart_updated", "source": "web", "email": "a@example.com", "occurred_at": ahead}

    assert results(send("events", {**event, "properties": {"cart": "c-1", "items": 1}})) == [("created", [])]

    assert Cart.objects.get().updated_at == Event.objects.get(name="cart_updated").occurred_at <= timezone.now()


def test_cart_updated_keeps_the_cart(send):
    def update(hour, items, **more):
        properties = {"cart": "c-1", "items": items, "value": 12.5, "lines": [{"sku": "TEA"}], **more}
        event = {"name": "cart_updated", "source": "web", "email": "a@example.com", "properties": properties}
        return results(send("events", {**event, "occurred_at": f"2026-10-01T{hour}:00:00Z"}))

    assert update("10", 1) == update("12", 3) == update("11", 2) == [("created", [])]
    cart = Cart.objects.get(source="web", external_id="c-1")
    assert (cart.items, cart.updated_at.hour, cart.lines) == (3, 12, [{"sku": "TEA"}])
    assert cart.checked_out_at is None
    update("13", 3, checked_out=True)
    assert Cart.objects.get().checked_out_at == datetime(2026, 10, 1, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("_case", "raw", "status", "words"),
    [
        ("no JSON", b"{", 400, "not JSON"),
        ("not UTF-8", b'{"email": "\xff"}', 400, "not JSON"),
        ("a number", b"7", 400, "must be an object"),
        ("NaN", b'{"net": NaN}', 400, "NaN is not a number in JSON"),
        ("a huge number", b'{"net": ' + b"9" * 5000 + b"}", 400, "not JSON"),
        ("deep", b"[" * 100_000 + b"]" * 100_000, 400, "nested too deeply"),
        ("deep property", b'{"attributes": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001, 400, "nested too deeply"),
        ("empty list", b"[]", 400, "send 1 to 1,000"),
        ("too many", b"[" + b"{}," * 1000 + b"{}]", 400, "1,001 rows"),
        ("empty", b"", 400, "empty"),
    ],
)
def test_a_bad_body_gets_a_sentence(send, _case, raw, status, words):
    response = send("customers", raw)
    assert response.status_code == status
    assert words in response.json()["error"]["detail"]


def test_a_giant_body_is_refused(send, monkeypatch):
    monkeypatch.setattr(body, "BYTES_ALLOWED", 1000)
    response = send("customers", b" " * 1001)
    assert response.status_code == 413
    assert "fewer rows" in response.json()["error"]["detail"]


def test_other_content_types_are_refused(send, client, secret):
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": "1"}
    assert client.post("/api/v1/customers", "a=b", content_type="text/plain", headers=headers).status_code == 415


@pytest.mark.parametrize("key", ["", "x" * 129, "é"])
def test_the_idempotency_key_is_required(send, client, secret, key):
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key}
    response = client.post("/api/v1/customers", "{}", content_type="application/json", headers=headers)
    assert response.status_code == 400
    assert "Idempotency-Key" in response.json()["error"]["detail"]


def test_keys_are_checked(send, secret, client):
    assert client.post("/api/v1/customers", "{}", content_type="application/json").status_code == 401
    assert "not known" in send("customers", {}, secret="lf_wrong").json()["error"]["detail"]
    assert send("customers", {}, secret=secret[:-1] + "?").status_code == 401
    assert send("customers", {}, secret="a b").status_code == 401

    only_orders = ApiKey.issue("Till", ["orders"])[1]
    refused = send("customers", {"email": "a@example.com"}, secret=only_orders)
    assert refused.status_code == 403
    assert "may not send customers" in refused.json()["error"]["detail"]
    assert not Customer.objects.exists()

    ApiKey.objects.update(revoked_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert "revoked" in send("customers", {}).json()["error"]["detail"]


def test_only_a_hash_of_the_key_is_kept(secret):
    key = ApiKey.objects.get()
    assert secret.startswith(key.prefix + "_")
    assert secret not in json.dumps([str(value) for value in ApiKey.objects.values().get().values()])
    assert key.digest == ApiKey.digest_of(secret)


def test_the_number_of_statements_does_not_depend_on_the_rows(send, django_assert_max_num_queries):
    def statements(count, start):
        with django_assert_max_num_queries(200) as counted:
            rows = [
                {"email": f"p{number}@example.com", "consent_email": "yes"} for number in range(start, start + count)
            ]
            assert len(results(send("customers", rows))) == count
        return len(counted)

    statements(1, 0)
    assert statements(2, 10) == statements(1000, 1000)


def test_the_description_names_every_column(client, db):
    response = client.get("/api/v1/schema", headers={"Accept": "application/json"})
    text = (
        json.dumps(response.json())
        if response["Content-Type"].startswith("application/json")
        else response.content.decode()
    )
    for word in ("/api/v1/customers", "loyalty_joined_at", "line_number", "Idempotency-Key", "bearer"):
        assert word in text


def test_the_documentation_has_no_inline_script(client, db):
    page = client.get("/api/v1/docs/").content.decode()
    assert "<script>" not in page
    assert client.get("/api/v1/docs/?script").status_code == 200
