"""YAML as people mean it: NO is a text and 02134 a postal code; every value knows the line it stands in."""

import re
from decimal import Decimal
from typing import Any

import yaml

Path = tuple[str | int, ...]
Lines = dict[Path, int]
LARGEST = 256 * 1024  # bytes; the largest segments that people build take a hundredth of it
DEEPEST = 40  # lists and mappings inside each other
WHOLE, BROKEN = re.compile(r"-?(0|[1-9]\d{0,17})"), re.compile(r"-?(0|[1-9]\d{0,17})\.\d{1,18}")
WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "~": None, "": None}
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class NotYaml(ValueError):
    """What is wrong with the text itself, and its line."""


def documents(text: str | bytes) -> list[tuple[Any, Lines]]:
    """The documents of the text, each as plain values with the lines at which they stand; raises NotYaml."""
    if len(text) > LARGEST:
        raise NotYaml(f"Expected at most {LARGEST // 1024} KB. Found {len(text) // 1024:,} KB. Split the file.")
    try:
        loader = _Loader(text if isinstance(text, str) else text.decode("utf-8-sig"))
        return [read for read in _documents(loader) if read[0] is not None]
    except UnicodeDecodeError as error:
        raise NotYaml(f"Expected text in UTF-8. Found another byte at place {error.start + 1:,}.") from error
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        line = at.line + 1 if at else 1
        raise NotYaml(f"Line {line} cannot be read: {error.problem or error.context}.") from error
    except yaml.reader.ReaderError as error:
        raise NotYaml(
            f"Expected text. Found the character {error.character!r} at place {error.position + 1:,}."
        ) from error


def written(*plain: dict[str, Any], in_a_line: bool = False) -> str:
    """The plain values as YAML, a document each; what another program could take for something else is in quotes.

    `in_a_line` writes all of it in one line, as {…}.
    """
    return yaml.dump_all(
        plain,
        Dumper=_Dumper,
        default_flow_style=in_a_line,
        sort_keys=False,
        allow_unicode=True,
        width=1_000_000 if in_a_line else 110,
        explicit_start=len(plain) > 1,
    )


class _Loader(yaml.SafeLoader):
    """Reads no aliases, no tags and nothing that is too deep."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _error("anchors (&) and aliases (*) are not read; write the value out, or put it in quotes", event)
        if getattr(event, "tag", None):
            raise _error(f"tags such as {event.tag} are not read; put the value in quotes", event)
        self.depth += 1
        if self.depth > DEEPEST:
            raise _error(f"more than {DEEPEST} lists and mappings are inside each other", event)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


class _Dumper(yaml.SafeDumper):
    """Indents lists, and writes texts of several lines as such."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represented(dumper: Any, text: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represented)


def _documents(loader: _Loader) -> Any:
    while loader.check_node():
        lines: Lines = {}
        node = loader.get_node()
        yield _plain(node, (), lines), lines


def _plain(node: Any, path: Path, lines: Lines) -> Any:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each, (*path, number), lines) for number, each in enumerate(node.value, 1)]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    made: dict[str, Any] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else None
        if name is None or CONTROL.search(name):
            raise _error("a name was expected before the colon", key)
        if name in made:
            raise _error(f"“{name}” stands here twice; leave one of them out", key)
        made[name] = _plain(value, (*path, name), lines)
        lines[*path, name] = key.start_mark.line + 1
    return made


def _scalar(node: Any) -> Any:
    text: str = node.value
    if CONTROL.search(text):
        raise _error("a control character stands in this text; leave it out", node)
    if node.style is not None:
        return text
    if text in WORDS:
        return WORDS[text]
    if WHOLE.fullmatch(text):
        return int(text)
    return Decimal(text) if BROKEN.fullmatch(text) else text


def _error(problem: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)
