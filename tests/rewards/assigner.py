"""Processes that give vouchers at the same time: one parent with everything loaded, which forks them.

Each line on its standard input is a job: the discount, and the customers, one for each process. All of them begin
together; each answers with `<customer> <vouchers that are new>`, and `over` tells that all are through.
"""

import json
import os
import sys

import django


def serve() -> None:
    """Do the jobs that are asked for until nobody asks any more."""
    for line in sys.stdin:
        job = json.loads(line)
        waiting, go = os.pipe()
        children = [fork(job["discount"], who, waiting, go) for who in job["customers"]]
        os.close(waiting)
        os.close(go)  # nobody can write any more: all of them wake up
        ends = [os.waitpid(child, 0)[1] for child in children]
        os.write(1, f"over {sum(end != 0 for end in ends)}\n".encode())


def fork(discount: int, customer: int, waiting: int, go: int) -> int:
    """The process id of a new giver."""
    if child := os.fork():
        return child
    status = 1
    try:
        os.close(go)
        of = Discount.objects.non_polymorphic().get(pk=discount)
        os.read(waiting, 1)
        origin = Concat(Value("parallel:"), Cast("pk", TextField()), output_field=TextField())
        people = Customer.objects.filter(pk=customer)
        given = assigning.assign(people, of, origin=origin, customer="pk", now=timezone.now())
        os.write(1, f"{customer} {given.new}\n".encode())
        status = 0
    finally:
        os._exit(status)


if __name__ == "__main__":
    django.setup()
    from django.db import connection
    from django.db.models import TextField, Value
    from django.db.models.functions import Cast, Concat
    from django.utils import timezone

    from loyaltyflow.store.models import Customer
    from rewards import assigning
    from rewards.discounts import Discount

    connection.settings_dict["NAME"] = sys.argv[1]
    serve()
