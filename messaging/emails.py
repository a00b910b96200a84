from django.db import models


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


class Link(models.Model):
    """One address that a template links to, as it was written; never deleted, so that old e-mails go on working."""

    template = models.ForeignKey(EmailTemplate, on_delete=models.CASCADE, related_name="links", db_index=False)
    url = models.CharField(max_length=2000)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["template", "url"], name="one_link_per_template_and_address")]

    def __str__(self) -> str:
        return self.url
