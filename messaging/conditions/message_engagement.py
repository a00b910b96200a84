from datetime import date, datetime
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import Combinable

from loyaltyflow.store.models import Customer
from loyaltyflow.words import number, strong
from segments.comparisons.times import CountsTimes, HowOften, as_often
from segments.conditions import Condition

from ..campaigns import Campaign
from ..emails import EmailTemplate
from ..engagement import Engagement
from ..messages import Message


class MessageEngagement(CountsTimes, Condition):
    """Was sent so many messages, or opened or clicked them.

    A message counts once, however often it was opened. What mail scanners and privacy proxies opened or clicked does
    not count.
    """

    icon = "ads_click"
    shelf = "Messages"
    words = "e-mail newsletter"
    examples: ClassVar[list[dict[str, Any]]] = [
        {"act": "sent", "count": 2, "window_days": 30},
        {"act": "opened", "operator": "none", "window_days": 180},
        {"act": "clicked", "template": "Winback offer"},
        {"act": "opened", "operator": "at_most", "count": 1, "since": date(2026, 9, 1), "until": date(2026, 11, 20)},
        {"act": "sent", "operator": "exactly", "count": 1, "campaign": "Winback"},
        {"act": "clicked", "count": 2},
        {"act": "opened", "since_own": "registered_at"},
    ]

    class Act(models.TextChoices):
        SENT = "sent", "was sent"
        OPENED = "opened", "opened"
        CLICKED = "clicked", "clicked"

    KINDS: ClassVar[dict[str, str]] = {Act.OPENED: Engagement.Kind.OPEN, Act.CLICKED: Engagement.Kind.CLICK}

    act = models.CharField("the customer", max_length=8, choices=Act.choices, default=Act.OPENED)
    campaign = models.ForeignKey(
        Campaign, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="Empty: any."
    )
    template = models.ForeignKey(
        EmailTemplate, on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="Empty: any."
    )

    units: ClassVar[dict[str, str]] = {**CountsTimes.units, "count": "messages"}

    class Meta:
        verbose_name = "messages sent, opened or clicked"

    def clean(self) -> None:
        """Refuse both a campaign and a template."""
        super().clean()
        if self.campaign_id and self.template_id:
            raise ValidationError({"template": "A campaign and a template were given. Leave one of them empty."})

    def q(self, now: datetime) -> Q:
        return as_often(self.operator, self.count, lambda count: self._reaches(count, now))

    def flips(self, now: datetime) -> Combinable | None:
        """When the first of what counts falls out of the time."""
        acts = self._acts(now).filter(**{self._path("customer"): OuterRef("pk")})
        return self.falls_out(Subquery(acts.order_by(self._column).values(self._column)[:1]), now)

    def phrase(self) -> str:
        verb = {"sent": "were sent", "opened": "opened", "clicked": "clicked in"}[self.act]
        if self.operator == HowOften.NONE:
            what = f"{verb} {strong('no message')}"
        else:
            what = f"{verb} {HowOften(self.operator).label} {strong(number(self.count, 'message'))}"
        source = f" of “{strong(self.campaign or self.template)}”" if self.campaign_id or self.template_id else ""
        return f"{what}{source}{self.when()}"

    def seen(self, customer: Customer, now: datetime) -> str:
        acts = self._acts(now, customer).filter(**{self._path("customer"): customer})
        count = acts.values(self._message).distinct().count()
        last = acts.aggregate(last=models.Max(self._column))["last"]
        on = f", the last on {last.astimezone(now.tzinfo):%Y-%m-%d}" if last else ""
        return f"{self.get_act_display()} {number(count, 'message')}{on}"

    @property
    def _column(self) -> str:
        return "sent_at" if self.act == self.Act.SENT else "at"

    @property
    def _message(self) -> str:
        return self._path("pk") if self.act == self.Act.SENT else "message"

    def _path(self, name: str) -> str:
        """Where the message's field stands, seen from what is counted."""
        return name if self.act == self.Act.SENT else f"message__{name}"

    def _acts(self, now: datetime, customer: Customer | None = None) -> QuerySet[Any]:
        """What counts, in the time: messages that were sent, or what people did with them."""
        rows: QuerySet[Any] = Message.objects.all()
        if self.act != self.Act.SENT:
            rows = Engagement.objects.filter(kind=self.KINDS[self.act], is_machine=False)
        if self.campaign_id:
            rows = rows.filter(**{self._path("campaign"): self.campaign_id})
        if self.template_id:
            rows = rows.filter(**{self._path("template"): self.template_id})
        return rows.filter(self.inside(self._column, now, customer))

    def _reaches(self, count: int, now: datetime) -> Q:
        """Customers with that many messages or more."""
        acts = self._acts(now).filter(**{self._path("customer"): OuterRef("pk")})
        if count == 1:
            return Q(Exists(acts))
        return Q(Exists(acts.order_by().values(self._message).distinct()[count - 1 : count]))
