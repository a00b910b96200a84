"""Objects in JSON on their way into the intake, and what became of each."""

import json
from collections import defaultdict
from typing import Any

from loyaltyflow.store.intake import ORDERS, Column, Context, Intake, Kind
from loyaltyflow.store.intake.cells import consent, tags

LINES_ALLOWED = 50_000  # of all orders in one request: each line becomes a row with every column
LINE_FIELDS = {
    "line_number": "line_number",
    "sku": "sku",
    "product_name": "product_name",
    "quantity": "quantity",
    "net": "line_net",
    "discount": "line_discount",
}


class Rows:
    """The rows of one request as cells of text; each knows which row of the request it came from."""

    def __init__(self, kind: Kind, rows: list[Any]) -> None:
        self.kind = kind
        self.columns = {column.name: column for column in kind.columns}
        self.owners: list[int] = []
        self.table: dict[str, list[str]] = {name: [] for name in self.columns}
        self.errors: dict[int, list[str]] = defaultdict(list)
        self.count = len(rows)
        for position, row in enumerate(rows):
            self._add(position, row)
        self._refuse_repeated_orders()

    def _add(self, position: int, row: Any) -> None:
        if not isinstance(row, dict):
            self.errors[position].append(f"Expected an object, found {_found(row)}.")
            return
        cells = self._cells(position, row)
        parts = self._lines(position, row) if self.kind is ORDERS else [{}]
        for number, part in enumerate(parts):
            self.owners.append(position)
            for name, texts in self.table.items():
                own = cells if not number or name in self.kind.together else {}
                texts.append(part.get(name) or own.get(name, ""))

    def _cells(self, position: int, row: dict[str, Any]) -> dict[str, str]:
        """The known fields of the row as text; what has the wrong type is an error of the row."""
        cells = {}
        for name, column in self.columns.items():
            try:
                cells[name] = as_text(row.get(name), column)
            except ValueError as error:
                self.errors[position].append(f"{name}: {error}")
        return cells

    def _lines(self, position: int, row: dict[str, Any]) -> list[dict[str, str]]:
        lines = row.get("lines") or [{}]
        if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
            self.errors[position].append("lines: expected a list of objects.")
            return [{}]
        if len(lines) > LINES_ALLOWED - len(self.owners):
            self.errors[position].append(f"lines: a request may have {LINES_ALLOWED:,}; send fewer at once.")
            return [{}]
        renamed = [{LINE_FIELDS[name]: value for name, value in line.items() if name in LINE_FIELDS} for line in lines]
        return [self._cells(position, line) for line in renamed]

    def _refuse_repeated_orders(self) -> None:
        if self.kind is not ORDERS:
            return
        first: dict[tuple[str, str], int] = {}
        for owner, key in zip(
            self.owners, zip(self.table["source"], self.table["order_number"], strict=True), strict=True
        ):
            if first.setdefault(key, owner) != owner and key[1]:
                self.errors[owner] = [f"order_number: row {first[key]} of this list is the same order."]

    def take(self, context: Context) -> list[dict[str, Any]]:
        """What became of each row, in their order; use it inside a transaction."""
        intake = Intake(self.kind, context)
        good = [line for line, owner in enumerate(self.owners) if owner not in self.errors]
        if good:
            intake.add(good, {name: [texts[line] for line in good] for name, texts in self.table.items()})
        outcome = intake.merge(with_statuses=True)
        for line, reason in sorted(outcome.refused.items()):
            if line not in outcome.bystanders and reason not in self.errors[self.owners[line]]:
                self.errors[self.owners[line]].append(reason)
        statuses = {self.owners[line]: status for line, status in sorted(outcome.statuses.items(), reverse=True)}
        return [self._result(position, statuses) for position in range(self.count)]

    def _result(self, position: int, statuses: dict[int, str]) -> dict[str, Any]:
        errors = self.errors.get(position, [])
        return {"row": position, "status": "rejected" if errors else statuses[position], "errors": errors}


def as_text(value: Any, column: Column) -> str:
    """The value as the text of a CSV cell; raises ValueError if its type is not the column's."""
    if value is None:
        return ""
    if isinstance(value, bool):
        if column.type != "boolean" and column.clean is not consent:
            raise ValueError(f"expected a text or a number, found {_found(value)}.")
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, dict) and column.type == "jsonb":
        return _json(value)
    if isinstance(value, list) and column.clean is tags and all(isinstance(tag, str) for tag in value):
        return ";".join(value)
    raise ValueError(f"expected {'an object' if column.type == 'jsonb' else 'a text'}, found {_found(value)}.")


def _json(value: dict[str, Any]) -> str:
    try:
        return json.dumps(value)
    except RecursionError:
        raise ValueError("is nested too deeply.") from None


def _found(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
