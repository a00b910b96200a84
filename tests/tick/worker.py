"""A process of its own that runs the tick for each moment that it reads, and answers “done”."""

import sys
from datetime import datetime

import django

if __name__ == "__main__":
    django.setup()
    from django.db import connection

    from tests.tick import world

    connection.settings_dict["NAME"] = sys.argv[1]
    for line in sys.stdin:
        world.run_all([datetime.fromisoformat(line.strip())])
        sys.stdout.write("done\n")
        sys.stdout.flush()
