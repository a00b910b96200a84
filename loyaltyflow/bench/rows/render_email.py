from typing import Any

from liquid import Environment

from loyaltyflow.bench.dataset import NOW
from loyaltyflow.bench.mail import template
from messaging.render import links, render, templates, values_of, variables

from .base import Row

BATCH = 200  # as many as a worker claims at once


class RenderEmail(Row):
    """Subject, HTML and text for one customer after the other: bare Liquid on values at hand, and from the ids on."""

    name = "render.email"
    target = 0.7
    unit = "e-mails"
    rounds = 7

    def prepare(self) -> None:
        self.template = template()
        self.customers = range(1, 1 + min(self.data.scale, 10_000))
        self.bare = self._bare()
        part = templates([self.template.pk])[self.template.pk]
        values = values_of([part], self.customers, NOW)
        self.known = [variables(values, who, {}, links(who)) for who in self.customers]

    def _bare(self) -> list[Any]:
        plain, html = Environment(), Environment(autoescape=True)
        row = self.template
        return [plain.from_string(row.subject), html.from_string(row.html), plain.from_string(row.text)]

    def reset(self, side: str) -> None:
        self.letters = 0
        self.last: tuple[str, str, str] = ("", "", "")

    def floor(self) -> int:
        subject, html, text = self.bare
        for known in self.known:
            self._count(subject.render(known), html.render(known), text.render(known))
        return len(self.known)

    def product(self) -> int:
        part = templates([self.template.pk])[self.template.pk]
        for start in range(0, len(self.customers), BATCH):
            customers = self.customers[start : start + BATCH]
            values = values_of([part], customers, NOW)
            for who in customers:
                content = render(part, variables(values, who, {}, links(who)))
                self._count(content.subject, content.html, content.text)
        return len(self.customers)

    def _count(self, *parts: str) -> None:
        self.letters += sum(map(len, parts))
        self.last = parts  # type: ignore[assignment]

    def effects(self) -> dict[str, Any]:
        return {"letters": self.letters, "last e-mail": self.last}
