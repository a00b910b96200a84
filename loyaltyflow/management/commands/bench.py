import json
import traceback
from argparse import ArgumentParser
from typing import Any

import environ
from django.core.management.base import BaseCommand, CommandError

from loyaltyflow.bench import dataset, runner
from loyaltyflow.bench.rows import Row

env = environ.Env()


class Command(BaseCommand):
    help = "Measure the product beside a floor of bare SQL or a bare library call, one JSON line each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="name", help="such as engine.send; all if there are none")
        parser.add_argument("--rounds", type=int, default=env.int("ROUNDS", default=0), help="0: what each row needs")
        parser.add_argument(
            "--scale", type=int, default=env.int("SCALE", default=200_000), help="customers in the data set"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            chosen = runner.rows(options["names"])
        except KeyError as unknown:
            names = ", ".join(row.name for row in runner.rows([]))
            raise CommandError(f"There is no row {unknown}. The rows are {names}.") from None
        try:
            data = dataset.ready(options["scale"], self.stderr.write)
        except dataset.NotBenchData as refusal:
            raise CommandError(str(refusal)) from None
        self._run(chosen, data, options["rounds"])

    def _run(self, chosen: list[type[Row]], data: dataset.DataSet, rounds: int) -> None:
        table, failed = [], []
        for kind in chosen:
            row = kind(data)
            dataset.clear_work()
            try:
                result = runner.measure(row, rounds, self.stderr.write)
            except Exception as fault:  # noqa: BLE001 - the other rows are measured all the same
                self.stderr.write("".join(traceback.format_exception(fault)))
                failed.append(kind.name)
                continue
            finally:
                row.close()
            self.stdout.write(json.dumps(result.as_line()))
            self.stdout.flush()
            table.append(_in_words(kind, result))
        dataset.clear_work()
        self.stderr.write("\n".join(table))
        if failed:
            raise CommandError(f"Not measured: {', '.join(failed)}.")


def _in_words(row: type[Row], result: runner.Result) -> str:
    """One line of the final table."""
    sign, bound = ("✓" if runner.reaches(row, result) else "✗"), "at most" if row.is_share_of_time else "at least"
    memory = "✓" if result.peak_rss_mb < runner.MEMORY_LIMIT_MB else "✗"
    speeds = f"{result.product_per_s:>12,.1f} of {result.floor_per_s:>12,.1f} {row.unit} a second"
    return f"{sign} {row.name:<18}{result.ratio:>7.3f} ({bound} {row.target}){speeds}, {result.peak_rss_mb} MB {memory}"
