"""What every test may ask for."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

STORE_ZONE = ZoneInfo("America/New_York")


@pytest.fixture
def now() -> datetime:
    """Monday, November 23, 2026, 2:14 pm on the store's clock."""
    return datetime(2026, 11, 23, 19, 14, tzinfo=UTC).astimezone(STORE_ZONE)
