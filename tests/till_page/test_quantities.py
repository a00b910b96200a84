"""What may be typed as a quantity at the till."""

import pytest

from loyaltyflow.till_page.sale import Line

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("quantity", ["1,000", "1,000,000", "1000000"])
def test_a_quantity_that_can_be_read_two_ways_or_is_too_large_says_so(quantity):
    line = Line("TEA", "Tea", quantity, "4.79")
    assert line.fault == f"“{quantity}” is too many, or has a comma. Type up to 999,999 without one, such as 999999."
    assert line.amount is None


def test_the_largest_quantity_is_taken():
    assert Line("TEA", "Tea", "999999", "1.00").fault == ""
