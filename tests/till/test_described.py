"""Whatever is sent to the API, it answers as its description says, and never breaks.

A few hundred requests at every run; `pytest --hypothesis-profile=thorough tests/till/test_described.py` sends 2,000.
"""

from copy import deepcopy
from functools import cache
from itertools import count
from random import Random

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from loyaltyflow.api.till import asked, examples, told
from loyaltyflow.models import ApiKey
from loyaltyflow.wsgi import application
from rewards.models import AdjustmentReason
from tests.till import shop

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
CASES, THOROUGH = 200, 2_000
_numbers = count(1)


@cache
def schema():
    return schemathesis.openapi.from_wsgi("/api/v1/schema", application)


OPERATIONS = [
    "POST /api/v1/customers",
    "POST /api/v1/events",
    "POST /api/v1/orders",
    "POST /api/v1/products",
    "GET /api/v1/customers/lookup",
    "POST /api/v1/points/adjust",
    "POST /api/v1/till/holds",
    "DELETE /api/v1/till/holds/{external_id}",
    "POST /api/v1/till/orders",
    "POST /api/v1/till/orders/{external_id}/cancel",
    "POST /api/v1/till/orders/{external_id}/refunds",
    "POST /api/v1/till/quote",
    "POST /api/v1/till/rewards",
    "POST /api/v1/till/rewards/{external_id}/cancel",
    "POST /api/v1/vouchers/{code}/redeem",
    "POST /api/v1/vouchers/{code}/release",
]


SHAPES = {
    "quote": asked.QuoteAsked,
    "hold": asked.HoldAsked,
    "commit": asked.OrderAsked,
    "refund": asked.RefundAsked,
    "cancel": asked.CancelAsked,
    "take_reward": asked.RewardAsked,
    "cancel_reward": asked.CancelAsked,
    "redeem_voucher": asked.VoucherUseAsked,
    "release_voucher": asked.VoucherUseAsked,
    "adjust": asked.AdjustmentAsked,
}


def test_every_address_is_described(one_connection):
    described = schema().raw_schema["paths"]
    known = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    assert known == set(OPERATIONS)


def test_every_body_has_an_example_that_can_be_sent(one_connection):
    paths = schema().raw_schema["paths"]
    found = {}
    for methods in paths.values():
        for described in methods.values():
            body = described.get("requestBody", {}).get("content", {}).get("application/json", {})
            for example in body.get("examples", {}).values():
                found[described["operationId"]] = example["value"]
    assert found == examples.SENT
    for name, shape in SHAPES.items():
        assert shape(data=found[name]).is_valid(raise_exception=True)


def test_the_example_of_a_refusal_is_one(one_connection):
    answers = schema().raw_schema["paths"]["/api/v1/till/orders"]["post"]["responses"]
    [refused] = answers["409"]["content"]["application/json"]["examples"].values()
    assert told.Error(data=refused["value"]).is_valid(raise_exception=True)
    assert "examples" not in answers["200"]["content"]["application/json"]


@pytest.fixture
def known(db):
    """Who and what there is to ask about: most of what is made up at random would be nobody and nothing."""
    shop.rule()
    who = shop.member(1000, email="ann@example.com", phone="+16175550117")
    till, reward = shop.till(), shop.off(points_price=2)
    for number in range(5):
        shop.code(f"SAVE{number}", uses_allowed=None)
        asked = {"external_id": f"R-{number}", "customer": who.pk, "bill": shop.bill("1000.00")}
        assert till("till/orders", asked).status_code == 200
        held = till("till/holds", {"external_id": f"H-{number}", "customer": who.pk, "points": 1})
        assert held.status_code == 200
        taken = till("till/rewards", {"external_id": f"X-{number}", "customer": who.pk, "reward": reward.pk})
        assert taken.status_code == 200
    AdjustmentReason.objects.update_or_create(code="goodwill", defaults={"title": "A thank-you", "is_active": True})
    said = {"email": "ann@example.com", "phone": "617 555 0117", "reason": "goodwill"}
    return said | {"customer": who.pk, "reward": reward.pk}


@pytest.fixture
def one_connection(db):
    """The requests are part of the test's transaction: none of them closes its connection.

    To be asked for last: Django's test client connects again what is disconnected here.
    """
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def about(case, known, chance):
    """Let the request be about what there is, as far as it names anything, in three of four cases."""
    if chance.random() < 0.25:
        return
    case.body = deepcopy(case.body)  # it may be the description's own example
    body = case.body if isinstance(case.body, dict) else {}
    body |= {name: known[name] for name in ("customer", "reason", "reward") if name in body}
    body |= {"codes": [f"SAVE{chance.randrange(6)}"]} if "codes" in body else {}
    body |= {"voucher": f"SAVE{chance.randrange(6)}"} if "voucher" in body else {}
    body |= {"order": f"R-{chance.randrange(6)}"} if "order" in body else {}
    if "external_id" in case.path_parameters:
        prefix = next((letter for word, letter in (("holds", "H"), ("rewards", "X")) if word in case.path), "R")
        case.path_parameters["external_id"] = f"{prefix}-{chance.randrange(6)}"
    if "code" in case.path_parameters:
        case.path_parameters["code"] = f"SAVE{chance.randrange(6)}"
    if "lookup" in case.path and isinstance(case.query, dict):
        name = chance.choice(["email", "phone"])
        case.query.clear()
        case.query[name] = known[name]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_answer_is_as_it_is_described(operation, known, one_connection, monkeypatch):
    cases = (THOROUGH if settings().max_examples >= 100 else CASES) // len(OPERATIONS) + 1
    monkeypatch.setattr("loyaltyflow.guesses.ALLOWED", 100_000)
    monkeypatch.setattr("loyaltyflow.guesses.ALLOWED_FOR_CUSTOMER", 100_000)
    method, path = operation.split(" ")
    key = ApiKey.issue("Fuzzer", ApiKey.Scope.values)[1]
    chance, answers = Random(operation), list[int]()

    @settings(max_examples=cases, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=schema()[path][method].as_strategy())
    def send(case):
        about(case, known, chance)
        headers = {"Authorization": f"Bearer {key}"}
        if chance.random() < 0.9:
            headers["Idempotency-Key"] = f"fuzz-{next(_numbers)}"
        answers.append(case.call_and_validate(headers=headers, checks=CHECKS).status_code)

    send()

    assert answers
    assert max(answers) < 500
