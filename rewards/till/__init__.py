"""What tills ask for: who somebody is, what a bill comes to, and everything that is done with it. Plain verbs.

Each verb that writes is called inside `loyaltyflow.again.again`, which makes it one transaction and tries it again
when two tills get in each other's way. What cannot be done raises `rewards.bill.Refused`, and nothing has changed.
"""

from .asking import Ask, Item, ask
from .commit import commit
from .exchange import Exchanged, cancel_exchange, exchange
from .holds import hold, release
from .lookup import Person, find, look_up
from .quote import Quote, quote
from .refunds import Part, cancel, refund

__all__ = [
    "Ask",
    "Exchanged",
    "Item",
    "Part",
    "Person",
    "Quote",
    "ask",
    "cancel",
    "cancel_exchange",
    "commit",
    "exchange",
    "find",
    "hold",
    "look_up",
    "quote",
    "refund",
    "release",
]
