"""Codes that people read, say and type: how they are made, and how what was typed is read.

A code is the prefix of its discount and ten signs in two groups: nine by chance and a check character after ISO/IEC
7064, its hybrid system (there MOD 37,36) with the 28 signs that do not look alike: MOD 29,28. So a code with a wrong
sign, and nearly always one with two neighbours the wrong way round, is told apart from one that nobody was given.
"""

import re
import secrets
from collections.abc import Iterable, Iterator

# Each sign that is left out looks like one that is there, and is read as that one.
SIGNS = "0123456789ACDEFGHJKMNPRTVWXY"
ALIKE = {"O": "0", "Q": "0", "I": "1", "L": "1", "Z": "2", "S": "5", "B": "8", "U": "V"}
BETWEEN = "-_."  # may stand between the signs of a code and does not count
READ_AS = ("".join(ALIKE) + BETWEEN, "".join(ALIKE.values()))  # the same for translate() in SQL
DRAWN = 9
LENGTH = DRAWN + 1

_read = str.maketrans(ALIKE)
_no_signs = re.compile(r"[^0-9A-Z]+")
# Bytes become signs; those beyond the last multiple of 28 are dropped, so that each sign is equally likely.
_fair = 256 - 256 % len(SIGNS)
_table = bytes(ord(SIGNS[value % len(SIGNS)]) for value in range(256))
_unfair = bytes(range(_fair, 256))


def key(typed: str) -> str:
    """What a code comes to however it is typed: capitals, without spaces and dashes, look-alikes as one sign.

    The database works out the same of every code that it keeps.
    """
    return _no_signs.sub("", typed.upper()).translate(_read)


def check_sign(signs: str, alphabet: str = SIGNS) -> str:
    """The check character of the signs."""
    return alphabet[(1 - _product(signs, alphabet)) % len(alphabet)]


def is_consistent(signs: str) -> bool:
    """Whether the last of the signs is the check character of those before it."""
    return bool(signs) and signs[-1] == check_sign(signs[:-1])


def _product(signs: str, alphabet: str) -> int:
    many = len(alphabet)
    product = many
    for sign in signs:
        product = ((product + alphabet.index(sign)) % many or many) * 2 % (many + 1)
    return product


def generated(prefix: str, count: int) -> Iterator[str]:
    """So many new codes with the prefix, which nobody can foresee; two are hardly ever the same."""
    before, start = key(prefix), f"{prefix}-" if prefix else ""
    drawn = _drawn(count * DRAWN)
    for at in range(0, count * DRAWN, DRAWN):
        signs = drawn[at : at + DRAWN]
        yield f"{start}{signs[:5]}-{signs[5:]}{check_sign(before + signs)}"


def _drawn(count: int) -> str:
    """So many signs by chance."""
    signs = b""
    while len(signs) < count:
        signs += secrets.token_bytes(count - len(signs) + 64).translate(_table, _unfair)
    return signs[:count].decode()


def is_misread(typed: str, prefixes: Iterable[str]) -> bool:
    """Whether what was typed must be one of our codes with a sign wrong, missing or too many.

    `prefixes` are those of the discounts whose codes are made here.
    """
    signs = key(typed)
    return any(_is_misread(signs, key(prefix)) for prefix in prefixes)


def _is_misread(signs: str, before: str) -> bool:
    too_many = len(signs) - len(before) - LENGTH
    if too_many:
        return abs(too_many) == 1 and bool(before) and signs.startswith(before)
    wrong = sum(one != other for one, other in zip(signs, before, strict=False))
    return wrong <= 1 and not is_consistent(signs)
