"""What every test may ask for."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import import_module
from pkgutil import walk_packages
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.test import TransactionTestCase
from hypothesis import HealthCheck, Phase, settings

from loyaltyflow.only_added import emptying
from segments.models import Segment
from tests import database

STORE_ZONE = ZoneInfo("America/New_York")

# A few examples at every run, always the same; `pytest --hypothesis-profile=thorough` tries many new ones, which takes
# minutes a file. The database makes examples slow, and each of them clears up after itself.
unhurried = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
# A run that fails ends soon: only a thorough one spends minutes on finding the smallest example.
tried = [Phase.explicit, Phase.generate]
settings.register_profile("default", max_examples=3, derandomize=True, phases=tried, print_blob=True, **unhurried)
settings.register_profile("thorough", max_examples=100, print_blob=True, **unhurried)
settings.load_profile("default")


# To guess a password is made to take a quarter of a second, and so is to make each of the users of the tests.
django_settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

A_NEW_STORES_SEGMENTS: list[tuple[str, bool, int]] = []


def _emptying(execute: Callable[..., Any], sql: str, parameters: Any, many: bool, context: Any) -> Any:
    return execute(emptying(sql) if sql.startswith("TRUNCATE") else sql, parameters, many, context)


@receiver(connection_created)
def may_empty(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """Between tests even those tables are emptied that are only added to; a test may have several connections."""
    if _emptying not in connection.execute_wrappers:
        # The first of all: who leaves a block with a wrapper of its own takes off the last one.
        connection.execute_wrappers.insert(0, _emptying)


# What Django does after a test that commits takes a second: it truncates all tables, and makes all permissions anew.
TransactionTestCase._fixture_teardown = lambda case: database.put_back()  # type: ignore[method-assign]


@pytest.fixture(scope="session", autouse=True)
def same_examples_in_any_order() -> None:
    """Hypothesis tries constants of the modules imported by then, so that all must be before the first test."""
    ours = [config.name for config in apps.get_app_configs() if "site-packages" not in config.path]
    for app in sorted({name.partition(".")[0] for name in ours}):
        for module in walk_packages(import_module(app).__path__, f"{app}."):
            import_module(module.name)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings, django_db_keepdb, django_db_blocker) -> None:
    """The test database is a copy of one that is migrated; not with --reuse-db, which keeps it as it is."""
    if not django_db_keepdb:
        with django_db_blocker.unblock():
            database.clone()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker) -> Iterator[None]:
    """The database as every test begins with it: empty, without the segments that a new store has."""
    with django_db_blocker.unblock():
        A_NEW_STORES_SEGMENTS.extend(Segment.objects.values_list("name", "is_active", "members_now"))
        Segment.objects.all().delete()
        database.remember()
    yield
    with django_db_blocker.unblock():
        database.part_with_others()


@pytest.fixture
def a_new_stores_segments(django_db_setup: None) -> list[tuple[str, bool, int]]:
    """Name, whether active, and members of each segment that was there after the migrations of an empty database."""
    return A_NEW_STORES_SEGMENTS


@pytest.fixture
def now() -> datetime:
    """Monday, November 23, 2026, 2:14 pm on the store's clock."""
    return datetime(2026, 11, 23, 19, 14, tzinfo=UTC).astimezone(STORE_ZONE)
