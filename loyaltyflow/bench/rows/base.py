from typing import Any, ClassVar

from loyaltyflow.bench.dataset import DataSet, answer


class Row:
    """One measurement: a floor and the product do the same work, and leave the same rows behind.

    `floor` and `product` return how many units of work they did. Before each of them `reset` puts everything back, and
    after it `effects` tells what was left behind: within a round it must be the same whoever did the work.
    """

    name: ClassVar[str]
    target: ClassVar[float]
    unit: ClassVar[str]
    queries: ClassVar[dict[str, str]] = {}
    order: ClassVar[tuple[str, ...]] = ()  # who goes first; empty: they take turns
    rounds: ClassVar[int] = 3  # fewer where one takes minutes, more where it takes a second
    is_share_of_time: ClassVar[bool] = False  # the ratio is product time / floor time, and lower is better

    def __init__(self, data: DataSet) -> None:
        self.data = data

    def prepare(self) -> None:
        """Make what the row needs beside the data set; called once, with every table but the shop's facts empty."""

    def reset(self, side: str) -> None:
        """Put back what the last run changed; called before each run, of floor or product, and not timed."""

    def floor(self) -> int:
        """The units of work done by hand-written SQL or the bare library."""
        raise NotImplementedError(f"{type(self).__name__} must define floor().")

    def product(self) -> int:
        """The units of work done by the product's own public function."""
        raise NotImplementedError(f"{type(self).__name__} must define product().")

    def effects(self) -> dict[str, Any]:
        """What was left behind, by name: the answers to `queries` unless a row says more."""
        return {what: answer(sql) for what, sql in self.queries.items()}

    def close(self) -> None:
        """Free what `prepare` took; called once at the end, also after a failure."""
