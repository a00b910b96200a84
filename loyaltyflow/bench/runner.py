"""Runs one row: floor and product in turn, several times over, and keeps the best of each."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

from loyaltyflow.bench.rows import Row

MEMORY_LIMIT_MB = 300
PACKAGE = Row.__module__.rpartition(".")[0]
SIDES = ("floor", "product")


class EffectsDiffer(Exception):
    """Two runs of one row did not leave the same rows behind."""


@dataclass(frozen=True)
class Result:
    """What a row measured: units of work a second, and the memory of this process at the product's peak."""

    name: str
    floor_per_s: float
    product_per_s: float
    ratio: float
    peak_rss_mb: int

    def as_line(self) -> dict[str, Any]:
        return asdict(self)


def rows(names: list[str]) -> list[type[Row]]:
    """The rows of these names, or all, in the order of their names; raises KeyError on an unknown one."""
    known = {row.name: row for row in _kinds(Row) if hasattr(row, "name") and row.__module__.startswith(PACKAGE)}
    return [known[name] for name in names or sorted(known)]


def _kinds(base: type[Row]) -> Iterator[type[Row]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _kinds(kind)


def measure(row: Row, rounds: int, say: Callable[[str], object]) -> Result:
    """The best of `rounds` rounds of both sides (0: as many as the row asks for); raises EffectsDiffer."""
    best = dict.fromkeys(SIDES, 0.0)
    peak = 0
    row.prepare()
    for number in range(rounds or row.rounds):
        seen: dict[str, Any] = {}
        for side in row.order or SIDES[:: (-1) ** number]:
            row.reset(side)
            forget_peak()
            started = perf_counter()
            units = getattr(row, side)()
            seconds = perf_counter() - started
            peak = max(peak, peak_mb()) if side == "product" else peak
            best[side] = max(best[side], units / seconds)
            say(f"{row.name}: {side} {units:,} {row.unit} in {seconds:.2f} s")
            effects = row.effects() | {row.unit: units}
            seen = seen or effects
            _compare(row, side, seen, effects)
    return _result(row, best["floor"], best["product"], peak)


def reaches(row: type[Row], result: Result) -> bool:
    """Whether the result is as good as the design asks for."""
    return result.ratio <= row.target if row.is_share_of_time else result.ratio >= row.target


def _result(row: Row, floor: float, product: float, peak: int) -> Result:
    ratio = floor / product if row.is_share_of_time else product / floor
    return Result(row.name, round(floor, 2), round(product, 2), round(ratio, 3), peak)


def _compare(row: Row, side: str, first: dict[str, Any], now: dict[str, Any]) -> None:
    for what, value in now.items():
        if value != first[what]:
            raise EffectsDiffer(f"{row.name}: {what} after the {side}: {value}; after the other: {first[what]}.")


def forget_peak() -> None:
    """Let the kernel measure this process's peak memory from here on, where it can."""
    file = Path("/proc/self/clear_refs")
    if file.exists():
        file.write_text("5")


def peak_mb() -> int:
    """The most memory that this process has held since `forget_peak`, in MiB; on other systems than Linux, ever."""
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) // 1024
    return getrusage(RUSAGE_SELF).ru_maxrss // 1024 // 1024
