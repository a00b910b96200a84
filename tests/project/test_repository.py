"""What a newcomer reads must be true of what is there."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")


def tracked(*patterns: str) -> list[Path]:
    """The repository's files, those not committed yet included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / line for line in listed if (ROOT / line).is_file()]


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):(?!.*:=).*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pinned(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=]", each)[0].lower() for each in requirements}


def test_the_makefile_has_the_promised_commands_and_no_more_than_ten() -> None:
    promised = {"demo", "demo-data", "test", "lint", "bench", "lock", "web", "worker", "clean", "help"}

    assert makefile_targets() == promised


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_command_in_the_docs_exists(page: Path) -> None:
    mentioned = set(re.findall(r"(?:`|^)(?:[A-Z]+=\S+ )*make ([a-z-]+)", page.read_text(), re.MULTILINE))

    assert mentioned <= makefile_targets()


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_in_the_docs_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_variable_that_the_settings_read_is_documented() -> None:
    sources = (ROOT / "loyaltyflow" / "settings.py").read_text()
    read = set(re.findall(r"""(?:env\.\w+|flag|number|chosen|required)\(\s*["']([A-Z_]+)["']""", sources))
    documented = set(re.findall(r"`([A-Z_]+)`", (ROOT / "docs" / "operating.md").read_text()))

    assert len(read) > 10
    assert read - documented == set()


def test_every_dependency_is_explained() -> None:
    extras = project()["optional-dependencies"]
    explained = (ROOT / "docs" / "decisions" / "dependencies.md").read_text()
    run_and_demo = names(project()["dependencies"] + extras["demo"])

    assert {name for name in run_and_demo if f"\n| {name} |" not in explained} == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_has_hashes(lock: str) -> None:
    entries = re.split(r"^(?=[a-z0-9-]+==)", (ROOT / lock).read_text(), flags=re.MULTILINE)[1:]

    assert len(entries) > 40
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address_and_no_folder(lock: str) -> None:
    allowed = re.compile(r"#.*|[a-z0-9-]+==[\w.]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?|    # .*|")
    lines = (ROOT / lock).read_text().splitlines()

    assert [line for line in lines if not allowed.fullmatch(line)] == []
    assert [line for line in lines if "://" in line or re.search(r"(?:^|\s)/", line) or "index" in line] == []


def test_the_locks_agree_and_hold_what_the_project_asks_for() -> None:
    run, development = pinned("requirements.lock"), pinned("requirements-dev.lock")
    extras = project()["optional-dependencies"]

    assert run.items() <= development.items()
    assert names(project()["dependencies"]) <= run.keys()
    assert names(extras["demo"] + extras["dev"]) <= development.keys()


def test_the_oldest_python_is_the_same_everywhere() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert config["project"]["requires-python"] == ">=3.11"
    assert config["tool"]["ruff"]["target-version"] == "py311"
    assert config["tool"]["mypy"]["python_version"] == "3.11"
    assert "Python 3.11 or newer" in (ROOT / "README.md").read_text()
    assert "with Python 3.11\n" in (ROOT / "requirements.lock").read_text()


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    place = re.compile(r"""(?<![\w./~-])/(?:home|root|Users|work|opt)/\w""")
    texts = [path for path in tracked() if path.suffix not in {".png", ".ico", ".woff2", ".gz", ".parquet"}]

    assert len(texts) > 100
    assert [str(path.relative_to(ROOT)) for path in texts if place.search(path.read_text(errors="replace"))] == []


def test_nothing_that_runs_is_fetched_from_another_host() -> None:
    foreign = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//""")
    pages = [
        path for path in tracked("templates", "static", "*/templates", "*/static") if path.suffix in {".html", ".js"}
    ]

    assert [str(path.relative_to(ROOT)) for path in pages if foreign.search(path.read_text())] == []
