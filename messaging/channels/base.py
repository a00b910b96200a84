from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Protocol

from loyaltyflow.store.models import StoreSettings

from ..messages import Claimed, Outcome
from ..render import Rendered


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One claimed message and what it says."""

    message: Claimed
    content: Rendered


class Unreachable(Exception):
    """The provider cannot be reached: nothing was handed over."""


class Connection(Protocol):
    """An open way to the provider."""

    def send(self, outgoing: Outgoing) -> Outcome:
        """What became of the message: sent, failed or uncertain; raises Unreachable if it never left."""


class Channel:
    """A way to reach customers: where their address is found, and how messages leave.

    A subclass in a file of this folder is a new channel.
    """

    name: ClassVar[str]
    address: ClassVar[str]
    registry: ClassVar[dict[str, type["Channel"]]] = {}

    def __init_subclass__(cls) -> None:
        Channel.registry[cls.name] = cls

    def __init__(self, store: StoreSettings) -> None:
        self.store = store

    def is_address(self, text: str) -> bool:
        """Whether the text can be written to at all."""
        raise NotImplementedError(f"{type(self).__name__} must define is_address(text).")

    def connect(self) -> AbstractContextManager[Connection]:
        """A connection that is kept for many messages and closed at the end."""
        raise NotImplementedError(f"{type(self).__name__} must define connect().")
