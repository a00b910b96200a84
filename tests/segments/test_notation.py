"""YAML as people mean it."""

from datetime import date
from decimal import Decimal

import pytest
import yaml

from segments.exchange import notation


def values(text):
    [(said, _lines)] = notation.documents(text)
    return said


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("'21'", "21"),
        ("21", 21),
        ("-3", -3),
        ("02134", "02134"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("49.90", Decimal("49.90")),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("2026-09-01", "2026-09-01"),
        ("9" * 30, "9" * 30),
    ],
)
def test_a_value_is_what_it_looks_like(text, expected):
    found = values(f"value: {text}")["value"]

    assert (found, type(found)) == (expected, type(expected))


def test_names_stay_texts():
    assert values("{on: 1, no: 2, 3: 4, <<: 5}") == {"on": 1, "no": 2, "3": 4, "<<": 5}


def test_each_value_knows_its_line():
    text = "# a comment\nname: Local\nconditions:\n  all_of:\n    - made_purchase:\n        count: 2\n"

    [(_said, lines)] = notation.documents(text)

    assert lines["name",] == 2
    assert lines["conditions", "all_of", 1] == 5
    assert lines["conditions", "all_of", 1, "made_purchase", "count"] == 6


@pytest.mark.parametrize(
    ("_case", "text", "reason"),
    [
        ("no yaml", "a: b: c", "Line 1 cannot be read: mapping values are not allowed here"),
        ("an open quote", "a: 1\nb: 'c", "Line 2 cannot be read: found unexpected end of stream"),
        ("the same name twice", "a: 1\na: 2", "Line 2 cannot be read: “a” stands here twice"),
        ("an anchor", "a: &x 1", "Line 1 cannot be read: anchors"),
        ("an alias", "a: *x", "Line 1 cannot be read: anchors"),
        ("a tag", "a: !!python/object:os.system {}", "Line 1 cannot be read: tags such as"),
        ("too deep", "[" * 5000, "Line 1 cannot be read: more than 40 lists and mappings"),
        ("a list as a name", "? [a]\n: 1", "Line 1 cannot be read: a name was expected"),
        ("an escaped control character", 'a: "\\0"', "Line 1 cannot be read: a control character"),
        ("half a character", 'a: "\\ud800"', "Line 1 cannot be read: a control character"),
        ("a control character", "a: \x00", "Expected text. Found the character"),
        ("another encoding", "a: café".encode("latin-1"), "Expected text in UTF-8. Found another byte at place 7"),
        ("too long", "a: " + "x" * notation.LARGEST, "Expected at most 256 KB. Found 256 KB"),
    ],
)
def test_what_cannot_be_read_is_refused(_case, text, reason):
    with pytest.raises(notation.NotYaml, match=f"^{reason}"):
        notation.documents(text)


def test_a_mark_at_the_beginning_and_ends_of_lines_of_another_system_do_no_harm():
    assert values("\ufeffa: 1\r\nb: |\r\n  x\r\n  y\r\n".encode()) == {"a": 1, "b": "x\ny\n"}


TRAPS = ["NO", "on", "true", "null", "~", "", "02134", "0x1F", "1_000", "12:30", "1e3", "1.5e3", ".inf", "2026-09-01"]
SIGNS = [
    "a: b",
    "# a",
    "- a",
    "“é”",
    " x ",
    "a\nb\n",
    "a\n\n b",
    "x" * 200,
    "{",
    "[",
    "*a",
    "&a",
    "!a",
    "%",
    "@",
    "'",
    '"',
]


@pytest.mark.parametrize("text", TRAPS + SIGNS)
def test_a_text_that_was_written_is_read_as_the_same_text_also_by_other_programs(text):
    written = notation.written({"a": text, "b": [{"c": text}]})

    assert values(written) == {"a": text, "b": [{"c": text}]}
    assert yaml.safe_load(written) == {"a": text, "b": [{"c": text}]}


def test_numbers_and_days_are_written_bare():
    assert notation.written({"a": 21, "b": 0.1, "c": date(2026, 9, 1), "d": False}) == (
        "a: 21\nb: 0.1\nc: 2026-09-01\nd: false\n"
    )


def test_documents_are_told_apart():
    assert notation.written({"a": 1}, {"b": [2]}) == "---\na: 1\n---\nb:\n  - 2\n"
    assert [said for said, _lines in notation.documents("---\na: 1\n---\n# nothing\n---\nb: 2\n")] == [
        {"a": 1},
        {"b": 2},
    ]
