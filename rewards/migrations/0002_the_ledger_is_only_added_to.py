from django.db import migrations

REFUSE = """
CREATE FUNCTION rewards_entry_is_only_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The points ledger is only added to. Correct an entry by a new one that takes it back.';
END
$$;
CREATE TRIGGER rewards_entry_is_only_added BEFORE UPDATE OR DELETE ON rewards_entry
    FOR EACH ROW EXECUTE FUNCTION rewards_entry_is_only_added();
"""
ALLOW = """
DROP TRIGGER rewards_entry_is_only_added ON rewards_entry;
DROP FUNCTION rewards_entry_is_only_added();
"""


class Migration(migrations.Migration):
    dependencies = [("rewards", "0001_initial")]
    operations = [migrations.RunSQL(REFUSE, ALLOW)]
