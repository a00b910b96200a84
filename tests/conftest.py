"""What every test may ask for."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, settings

STORE_ZONE = ZoneInfo("America/New_York")

# A few examples at every run; `pytest --hypothesis-profile=thorough` tries many, which takes minutes a file.
# The database makes examples slow, and each of them clears up after itself.
unhurried = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
settings.register_profile("default", max_examples=3, print_blob=True, **unhurried)
settings.register_profile("thorough", max_examples=100, print_blob=True, **unhurried)
settings.load_profile("default")


@pytest.fixture
def now() -> datetime:
    """Monday, November 23, 2026, 2:14 pm on the store's clock."""
    return datetime(2026, 11, 23, 19, 14, tzinfo=UTC).astimezone(STORE_ZONE)
