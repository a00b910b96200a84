from collections.abc import Iterable
from functools import cached_property
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction

from . import language
from .mjml import Compiled, NotCompiled, compile_email


class Category(models.TextChoices):
    MARKETING = "marketing", "Marketing: only with consent"
    SERVICE = "service", "Service: about the customer's own account, points or orders"


class EmailTemplate(models.Model):
    """An e-mail as staff write it: MJML with Liquid variables, compiled when it is saved."""

    name = models.CharField(max_length=100, unique=True, help_text="Customers never see it.")
    category = models.CharField(max_length=10, choices=Category.choices, default=Category.MARKETING)
    subject = models.CharField(max_length=200, help_text="May hold variables, such as {{ customer.first_name }}.")
    preview = models.CharField(max_length=200, blank=True, help_text="What inboxes show after the subject.")
    body = models.TextField(help_text="MJML, with variables in {{ }}.")
    html = models.TextField(editable=False, help_text="The body, compiled; links lead through ours.")
    text = models.TextField(editable=False, help_text="The same for readers without HTML.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]
        verbose_name = "e-mail template"

    def __str__(self) -> str:
        return self.name

    @cached_property
    def has_sent(self) -> bool:
        """Whether messages were made from it."""
        return bool(self.pk) and self.messages.exists()

    def compile(self) -> Compiled:
        """The HTML and text of the body; raises ValidationError with a sentence for each mistake and its line."""
        mistakes: dict[str, list[str]] = {}
        for field, label in (("subject", "Subject"), ("preview", "Preview")):
            if sentences := language.problems(getattr(self, field), label):
                mistakes[field] = sentences
        try:
            compiled = compile_email(self.body, self.preview, self.category == Category.MARKETING)
        except NotCompiled as error:
            mistakes["body"] = error.sentences
        if mistakes:
            raise ValidationError(mistakes)
        return compiled

    def clean(self) -> None:
        super().clean()
        self.compile()

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Compile and save, with a Link for each address; raises ValidationError if it cannot be compiled."""
        compiled = self.compile()
        if update_fields is not None:
            update_fields = {*update_fields, "html", "text", "updated_at"}
        with transaction.atomic():
            if self.pk is None:
                super().save(*args, **kwargs)
                args, kwargs = (), {"using": kwargs.get("using")}
            self.html, self.text = compiled.linked(Link.numbers(self, compiled.urls))
            super().save(*args, update_fields=update_fields, **kwargs)


class Link(models.Model):
    """One address that a template links to, as it was written; never deleted, so that old e-mails go on working."""

    template = models.ForeignKey(EmailTemplate, on_delete=models.CASCADE, related_name="links", db_index=False)
    url = models.CharField(max_length=2000)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["template", "url"], name="one_link_per_template_and_address")]

    def __str__(self) -> str:
        return self.url

    @classmethod
    def numbers(cls, template: EmailTemplate, urls: Iterable[str]) -> dict[str, int]:
        """Address → number of its link, made where it is new."""
        if not urls:
            return {}
        Link.objects.bulk_create([Link(template=template, url=url) for url in urls], ignore_conflicts=True)
        return dict(Link.objects.filter(template=template).values_list("url", "pk"))
