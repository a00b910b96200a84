"""Proves that the ledger adds up."""

from ..points import Account, Entry


def verify() -> list[str]:
    """What is wrong with the ledger, a sentence for each account; empty if every balance can be proved.

    An account's balance equals the sum of its entries, and what is left of its lots.
    """
    problems = [
        f"{account.customer}: the balance is {account.balance:,}, the entries add up to {account.moved:,} "
        f"and {account.left:,} are left in lots."
        for account in Account.objects.unproved().select_related("customer").iterator()
    ]
    lost = Entry.objects.filter(customer__account__isnull=True).values_list("customer_id", flat=True).distinct()
    return problems + [f"Customer {pk} has points entries but no account." for pk in lost]
