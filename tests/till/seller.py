"""Processes that sell at the same time, each at its own till: each sends one request, and says what it was told."""

from typing import Any

import django

from tests.side_by_side import serve


def told(asked: tuple[str, Any, str, str]) -> tuple[int, Any]:
    """The status of the answer, and what it says."""
    path, body, key, secret = asked
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key}
    answer = Client().post(path, body, content_type="application/json", headers=headers)
    return answer.status_code, answer.json()


if __name__ == "__main__":
    django.setup()
    from django.conf import settings
    from django.test import Client
    from django.urls import get_resolver

    settings.ALLOWED_HOSTS.append("testserver")
    assert get_resolver().url_patterns  # they are read once, before there are many
    serve(told)
