from datetime import datetime, timedelta

from django.conf import settings
from django.db import models

KEPT = timedelta(days=30)  # rejected rows hold people's addresses and are of no use once they are corrected


class UploadQuerySet(models.QuerySet["Upload"]):
    def forget(self, now: datetime) -> None:
        """Remove the rejected rows of uploads that are older than a month; their figures stay."""
        RejectedRow.objects.filter(upload__in=self.filter(at__lt=now - KEPT)).delete()


class Upload(models.Model):
    """One file of customers that staff put into a static segment or took out of it, and what became of its rows."""

    segment = models.ForeignKey("segments.Segment", on_delete=models.CASCADE, related_name="uploads")
    file_name = models.CharField(max_length=200)
    takes_out = models.BooleanField(default=False)
    moved = models.PositiveIntegerField(default=0, help_text="Customers who were put in, or taken out.")
    unchanged = models.PositiveIntegerField(default=0, help_text="Customers who were in already, or were not in.")
    rejected = models.PositiveIntegerField(default=0, help_text="Rows that name nobody, or somebody again.")
    header = models.TextField(blank=True, help_text="The names of the file's columns, as CSV.")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = UploadQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return self.file_name


class RejectedRow(models.Model):
    """A row of an upload of which nothing came, and why."""

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="rejected_rows", db_index=False)
    line = models.BigIntegerField()
    reason = models.TextField()
    cells = models.TextField(help_text="The row as it was sent, as CSV.")

    class Meta:
        ordering = ["line"]
        constraints = [models.UniqueConstraint(fields=["upload", "line"], name="one_rejection_per_upload_and_line")]

    def __str__(self) -> str:
        return f"Line {self.line}: {self.reason}"
