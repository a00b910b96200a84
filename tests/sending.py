"""A client of the API for tests."""

import json
from itertools import count

import pytest
from django.test import Client

from loyaltyflow.models import ApiKey

_numbers = count(1)


@pytest.fixture
def secret(db) -> str:
    return ApiKey.issue("Web shop", ApiKey.Scope.values)[1]


@pytest.fixture
def send(secret):
    """A function that POSTs rows (or raw bytes) and returns the response."""

    def post(kind, rows, key=None, secret=secret, **headers):
        body = rows if isinstance(rows, bytes) else json.dumps(rows)
        return Client(raise_request_exception=True).post(
            f"/api/v1/{kind}",
            body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}", "Idempotency-Key": key or f"k{next(_numbers)}", **headers},
        )

    return post
