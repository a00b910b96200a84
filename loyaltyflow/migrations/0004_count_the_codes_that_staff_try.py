import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("loyaltyflow", "0003_keep_an_audit_that_is_only_added_to"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint("guesses", "one_count_per_key_and_customer"),
        migrations.AddField(
            "guesses",
            "user",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            "guesses",
            "api_key",
            models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="guesses",
                to="loyaltyflow.apikey",
            ),
        ),
        migrations.AddConstraint(
            "guesses",
            models.UniqueConstraint(
                fields=("api_key", "user", "customer"), name="one_count_per_sender_and_customer", nulls_distinct=False
            ),
        ),
        migrations.AddConstraint(
            "guesses",
            models.CheckConstraint(
                condition=models.Q(("api_key__isnull", True), ("user__isnull", True), _connector="XOR"),
                name="codes_are_tried_by_a_key_or_a_person",
            ),
        ),
    ]
