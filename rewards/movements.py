"""What a statement of SQL finds to be moved, as rows that the ledger takes."""

from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models.sql import Query
from django.db.models.sql.compiler import SQLCompiler


class QueryOver(Query):
    """A query over one that is written in SQL and called as the model's table."""

    def __init__(self, model: Any, sql: str = "", parameters: Sequence[Any] = ()) -> None:
        super().__init__(model)
        self.over, self.over_parameters = sql, tuple(parameters)

    def get_compiler(self, using: Any = None, connection: Any = None, elide_empty: bool = True) -> "CompilerOver":
        known = super().get_compiler(using, connection, elide_empty)
        return CompilerOver(self, known.connection, known.using, elide_empty)


class CompilerOver(SQLCompiler):
    def as_sql(self, with_limits: bool = True, with_col_aliases: bool = False) -> Any:
        sql, parameters = super().as_sql(with_limits, with_col_aliases)
        query: Any = self.query
        return f"WITH {query.over} {sql}", (*query.over_parameters, *parameters)


class Movement(models.Model):
    """Points that somebody earned, or that are to be taken back; rows of a statement's query, not of a table."""

    key = models.CharField(max_length=120, primary_key=True)
    customer = models.BigIntegerField()
    occurred_at = models.DateTimeField()
    points = models.BigIntegerField()
    order = models.BigIntegerField(null=True)
    entry = models.BigIntegerField(null=True)
    explanation = models.CharField(max_length=200)
    rule = models.JSONField()

    class Meta:
        managed = False
        db_table = "movements"
        default_permissions = ()

    def __str__(self) -> str:
        return self.explanation

    @classmethod
    def over(cls, sql: str, parameters: Sequence[Any]) -> models.QuerySet["Movement"]:
        """The rows of the query `movements`, the last of those that `sql` names, with their parameters.

        Customers stand in their order, as accounts are taken everywhere.
        """
        return models.QuerySet(cls, query=QueryOver(cls, sql, parameters)).order_by("customer", "key")
