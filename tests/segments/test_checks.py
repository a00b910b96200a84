import pytest

from segments.checks import condition_types, unsaid
from segments.conditions.made_purchase import MadePurchase


def test_the_types_are_found():
    assert MadePurchase in condition_types()
    assert len(condition_types()) >= 8


@pytest.mark.parametrize("kind", condition_types(), ids=lambda kind: kind.__name__)
def test_a_type_says_everything_about_itself(kind):
    assert unsaid(kind) == []


def test_what_a_type_leaves_unsaid_is_named():
    class Bare(MadePurchase):
        __doc__ = ""
        icon = "rule"

        class Meta:
            abstract = True

    assert unsaid(Bare) == ["icon", "docstring"]
