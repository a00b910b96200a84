from django.db import migrations, models

# As the store's calendar has it now: nothing was known of another one.
FILL = """
UPDATE {table} AS given SET budget_period = CASE WHEN budget.period = 'ever' THEN '1970-01-01'
    ELSE date_trunc(budget.period, given.{at} AT TIME ZONE settings.time_zone)::date END
FROM rewards_budget AS budget, store_storesettings AS settings
WHERE budget.id = given.budget_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('rewards', '0029_take_rewards_for_points'),
        ('store', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='redemption',
            name='budget_period',
            field=models.DateField(blank=True, help_text="The first day of the budget's period in which it counts.", null=True),
        ),
        migrations.AddField(
            model_name='voucher',
            name='budget_period',
            field=models.DateField(blank=True, editable=False, help_text="The first day of the budget's period in which it counts.", null=True),
        ),
        migrations.RunSQL(FILL.format(table="rewards_redemption", at="redeemed_at"), migrations.RunSQL.noop),
        migrations.RunSQL(FILL.format(table="rewards_voucher", at="assigned_at"), migrations.RunSQL.noop),
    ]
