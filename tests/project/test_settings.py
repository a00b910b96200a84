"""What the settings make of an environment, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PRODUCTION = {
    "SECRET_KEY": "a-long-text-that-only-the-test-knows-0123456789-abcdefghij",
    "ALLOWED_HOSTS": "club.example.com,.example.org",
    "DATABASE_URL": "postgresql://shop:p%40ss@db.example.com:5433/shop",
}


def read(environment: dict[str, str], expression: str = "None") -> subprocess.CompletedProcess[str]:
    """A process that reads the settings in just this environment and prints the value of the expression."""
    code = f"from django.conf import settings; print({expression})"
    clean = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "loyaltyflow.settings", **environment}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("SECRET_KEY", "SECRET_KEY is not set. Set it to a long random text that only this installation knows."),
        ("ALLOWED_HOSTS", "ALLOWED_HOSTS is not set. Set it to the host names that staff and customers open"),
        (
            "DATABASE_URL",
            "DATABASE_URL is not set. Set it to your PostgreSQL: postgresql://user:password@host:5432/name.",
        ),
    ],
)
def test_production_refuses_to_start_without(missing: str, sentence: str) -> None:
    environment = {name: value for name, value in PRODUCTION.items() if name != missing}

    done = read(environment, "settings.DEBUG")

    assert done.returncode == 1
    assert sentence in done.stderr
    assert "To try LoyaltyFlow on your own machine, set LOCAL=true." in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("LOCAL", "yes please", "LOCAL is 'yes please'. Set it to one of: true, false"),
        ("DEBUG", "true", "DEBUG is true, which shows visitors the program's insides. Use it with LOCAL=true."),
        ("WORKERS", "many", "WORKERS is 'many'. Set it to a whole number from 1 to 64."),
        ("WORKERS", "0", "WORKERS is '0'. Set it to a whole number from 1 to 64."),
        ("LOG_LEVEL", "loud", "LOG_LEVEL is 'loud'. Set it to one of: DEBUG, INFO, WARNING, ERROR."),
        ("SITE_URL", "shop.example.com", "SITE_URL is 'shop.example.com'. Set it to the address that customers reach"),
        ("DATABASE_URL", "mysql://db/shop", "DATABASE_URL begins with 'mysql'. LoyaltyFlow needs postgresql://"),
        ("EMAIL_URL", "pigeon://roof", "Invalid email schema pigeon"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str, sentence: str) -> None:
    done = read(PRODUCTION | {name: value}, "settings.DEBUG")

    assert done.returncode == 1
    assert sentence in done.stderr
    assert "p%40ss" not in done.stderr
    assert "p@ss" not in done.stderr


def test_production_is_safe_by_default() -> None:
    safe = {
        "DEBUG": False,
        "SECURE_SSL_REDIRECT": True,
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "X_FRAME_OPTIONS": "DENY",
        "SITE_URL": "https://club.example.com",
    }

    found = read(PRODUCTION, f"{{name: getattr(settings, name) for name in {list(safe)}}}").stdout

    assert found == f"{safe}\n"


def test_the_address_of_the_database_is_read_whole() -> None:
    environment = PRODUCTION | {"DATABASE_URL": "postgresql://shop:p%40ss@%2Fvar%2Frun%2Fpg/club?sslmode=require"}
    expression = "[settings.DATABASES['default'][k] for k in ('ENGINE', 'HOST', 'USER', 'PASSWORD', 'NAME', 'OPTIONS')]"

    found = read(environment, expression).stdout

    engine = "django.db.backends.postgresql"
    assert found == f"{[engine, '/var/run/pg', 'shop', 'p@ss', 'club', {'sslmode': 'require'}]}\n"


def test_scripts_come_only_from_the_site_itself(settings) -> None:
    directives = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]

    assert directives["default-src"] == ["'none'"]
    assert directives["script-src"] == ["'self'", "'unsafe-eval'"]
    assert directives["form-action"] == ["'self'"]
    assert directives["frame-ancestors"] == ["'none'"]


def test_a_machine_of_ones_own_makes_one_secret_for_all_its_processes(tmp_path: Path) -> None:
    environment = {"LOCAL": "true", "DATA_DIR": str(tmp_path), "DATABASE_URL": PRODUCTION["DATABASE_URL"]}
    code = "from django.conf import settings; print(settings.SECRET_KEY)"
    clean = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "loyaltyflow.settings", **environment}
    command = [sys.executable, "-c", code]

    started = [subprocess.Popen(command, cwd=ROOT, env=clean, stdout=subprocess.PIPE, text=True) for _ in range(5)]
    keys = {process.communicate()[0].strip() for process in started}

    assert len(keys) == 1
    assert len(keys.pop()) >= 50
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0
