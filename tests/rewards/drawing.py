"""A process of its own that draws on a budget each time it reads a line, and answers how much was given."""

import sys

import django

if __name__ == "__main__":
    django.setup()
    from django.db import connection
    from django.utils import timezone

    from rewards.budgets import Budget, draw

    connection.settings_dict["NAME"] = sys.argv[1]
    budget = Budget.objects.get(pk=sys.argv[2])
    for line in sys.stdin:
        sys.stdout.write(f"{draw(budget, int(line), None, timezone.now())}\n")
        sys.stdout.flush()
