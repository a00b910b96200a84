"""The test database: cloned from one that was migrated before, and put back to how it began after a test that commits.

Migrating takes half a minute, and so does the work of all the TRUNCATEs that Django does after tests; most of it
is about tables that nobody has touched.
"""

from hashlib import sha256
from inspect import getfile
from pathlib import Path
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

BUILDING = 4_021_911  # the number of the lock that whoever makes the template holds
LARGE = 2**20  # bytes; a table beyond that is truncated, or later tests would wade through what was deleted
# Triggers are off meanwhile: tables that are only added to let rows go, and no row asks for those that it refers to.
PUT_BACK = """
CREATE FUNCTION pristine.put_back() RETURNS int LANGUAGE plpgsql SET session_replication_role = replica AS $$
DECLARE
    each record;
    is_changed boolean;
    changed int := 0;
BEGIN
    LOCK TABLE {tables} IN EXCLUSIVE MODE;  -- who is still writing comes to an end first
    FOR each IN
        SELECT relname AS name, pg_relation_size(oid) AS size, to_regclass('pristine.' || relname) AS copy
        FROM pg_class WHERE oid = ANY ('{{{tables}}}'::regclass[])
        AND (pg_relation_size(oid) > 0 OR to_regclass('pristine.' || relname) IS NOT NULL)
        ORDER BY to_regclass('pristine.' || relname) IS NOT NULL
    LOOP
        IF each.copy IS NULL AND each.size > {large} THEN
            EXECUTE format('TRUNCATE %I CASCADE', each.name);
        ELSIF each.copy IS NULL THEN
            EXECUTE format('DELETE FROM %I', each.name);
        ELSE
            EXECUTE format(
                'SELECT EXISTS ((SELECT t::text FROM %1$I AS t) EXCEPT ALL (SELECT t::text FROM pristine.%1$I AS t))
                OR EXISTS ((SELECT t::text FROM pristine.%1$I AS t) EXCEPT ALL (SELECT t::text FROM %1$I AS t))',
                each.name
            ) INTO is_changed;
            IF is_changed THEN
                EXECUTE format('DELETE FROM %1$I; INSERT INTO %1$I SELECT * FROM pristine.%1$I', each.name);
                EXECUTE format(  -- numbers go on after those rows, also where they were begun anew
                    'SELECT setval(pg_get_serial_sequence(%1$L, attname), (SELECT max(id) FROM %1$I))
                    FROM pg_attribute WHERE attrelid = %1$L::regclass AND attname = ''id''',
                    each.name
                );
                changed := changed + 1;
            END IF;
        END IF;
    END LOOP;
    RETURN changed;
END $$
"""


def clone() -> None:
    """Let the test database be made as a copy of one that is migrated, which is made first if there is none."""
    template = f"test_template_{_digest()}"
    with connection._nodb_cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute("SELECT pg_advisory_lock(%s)", [BUILDING])  # until this connection is closed
        cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_template\\_%'")
        known = {name for (name,) in cursor.fetchall()}
        if template not in known:
            for old in known:
                cursor.execute(f'DROP DATABASE IF EXISTS "{old}" WITH (FORCE)')
            _migrate(cursor, f"{template}_unfinished")
            cursor.execute(f'ALTER DATABASE "{template}_unfinished" RENAME TO "{template}"')
    connection.settings_dict["TEST"] |= {"TEMPLATE": template, "MIGRATE": False}


def _digest() -> str:
    """What tells databases apart: the migrations of every app, and the segments that are made with them."""
    loader = MigrationLoader(None)
    files = {Path(getfile(type(each))) for each in loader.disk_migrations.values()}
    files |= {each for each in Path("segments").rglob("*") if each.suffix in (".py", ".yaml")}
    digest = sha256()
    for each in sorted(files):
        digest.update(str(each).encode() + each.read_bytes())
    return digest.hexdigest()[:16]


def _migrate(cursor: Any, name: str) -> None:
    cursor.execute(f'CREATE DATABASE "{name}"')
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0, interactive=False)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def remember() -> None:
    """Take what the database holds now for what every test begins with."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS pristine CASCADE; CREATE SCHEMA pristine")
        for table in tables:
            cursor.execute(f'SELECT EXISTS (SELECT FROM "{table}")')
            if cursor.fetchone()[0]:
                cursor.execute(f'CREATE TABLE pristine."{table}" AS TABLE "{table}"')
        cursor.execute(PUT_BACK.format(tables=", ".join(sorted(tables)), large=LARGE))


def put_back() -> None:
    """Make the database hold what was remembered, and nothing else."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pristine.put_back()")
        if cursor.fetchone()[0]:
            ContentType.objects.clear_cache()


def part_with_others() -> None:
    """Let nobody else be at the database: it cannot be dropped while a thread of the last test is still leaving it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
