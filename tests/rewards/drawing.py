"""Processes that draw on a budget at the same time: each is given the budget and how much it wants, again and again."""

import django

from tests.side_by_side import serve


def drawn(asked: tuple[int, list[int]]) -> list[str]:
    """How much was given each time."""
    budget = Budget.objects.get(pk=asked[0])
    return [str(draw(budget, wanted, None, timezone.now())) for wanted in asked[1]]


if __name__ == "__main__":
    django.setup()
    from django.utils import timezone

    from rewards.budgets import Budget, draw

    serve(drawn)
