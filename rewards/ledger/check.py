from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must be true; `sql` selects a sentence for each case in which it is not.

    `known` tells the values that it names, by names that no other check has: several can be asked at once.
    """

    name: str
    sql: str
    known: Callable[[], dict[str, Any]] = dict
