from typing import Any

import pytest
from django.db import connections

from loyaltyflow.checks import mail_leaves_the_house, postgresql_is_new_enough


@pytest.mark.django_db
def test_an_old_postgresql_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert postgresql_is_new_enough(databases=["default"]) == []

    monkeypatch.setitem(connections["default"].__dict__, "pg_version", 140_011)

    [error] = postgresql_is_new_enough(databases=["default"])
    assert error.id == "loyaltyflow.E001"
    assert error.msg == "The database 'default' runs on PostgreSQL 14, and LoyaltyFlow needs 15."
    assert error.hint == "Upgrade the server, or set DATABASE_URL to a newer one."


def test_mail_that_goes_to_files_is_a_warning_in_production(settings: Any) -> None:
    settings.EMAIL_BACKEND = "messaging.channels.mailbox.EmailBackend"
    [warning] = mail_leaves_the_house()
    assert warning.id == "loyaltyflow.W001"

    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert mail_leaves_the_house() == []
