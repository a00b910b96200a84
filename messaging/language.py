"""The variables language of templates: Liquid, with strict limits, and errors that staff can act on."""

import re
from collections.abc import Iterable, Iterator
from html import unescape
from io import StringIO
from typing import Any
from urllib.parse import quote

from liquid import BoundTemplate, Environment, Node, RenderContext
from liquid.exceptions import LiquidError, LiquidInterrupt, LiquidSyntaxError, UndefinedError
from liquid.output import LimitedStringIO
from liquid.token import TOKEN_TAG
from liquid.undefined import FalsyStrictUndefined

from .values import Values, known_names

PIECE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
RANGE = re.compile(r"\([^()]*\.\.[^()]*\)")
LEFT_OUT_TAGS = ("include", "render", "liquid", "tablerow", "increment", "decrement", "doc", "ifchanged")
LENGTHENING_TAGS = {"for", "assign", "capture", "cycle"}
LEFT_OUT_FILTERS = ("safe", "escapejs")
# What Liquid's filters raise for a value that they were not made for.
UNFIT = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

__all__ = [
    "ADDRESS",
    "HTML",
    "LiquidError",
    "Part",
    "TEXT",
    "UndefinedError",
    "encoded",
    "parse",
    "problems",
    "unescaped",
]


class Part(BoundTemplate):
    """A compiled template that is filled in with plain values, many times."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tags = {node.token.value for node in self._inside(self.nodes) if node.token.kind == TOKEN_TAG}
        self.is_short = tags.isdisjoint(LENGTHENING_TAGS)

    def fill_in(self, known: dict[str, Any]) -> str:
        """The template with these values in it; raises LiquidError, also for a value that does not fit its filter.

        Does what `render` does, without copying the values; output is measured only where a loop or an assignment
        can make it much longer than the template.
        """
        context = RenderContext(self, globals=known)
        buffer = StringIO() if self.is_short else LimitedStringIO(Language.output_stream_limit)
        try:
            for node in self.nodes:
                node.render(context, buffer)
        except LiquidInterrupt as error:
            raise LiquidSyntaxError(f"“{error}” stands outside of a loop", token=None) from error
        except UNFIT as error:
            raise LiquidError(
                f"a value does not fit what is done with it ({type(error).__name__})", token=None
            ) from error
        return buffer.getvalue()

    def _inside(self, nodes: Iterable[Node]) -> Iterator[Node]:
        for node in nodes:
            yield node
            yield from self._inside(node.children(RenderContext(self)))


class Missing(FalsyStrictUndefined):
    """A value that is not known: false in an `if`, replaced by `default`, and an error anywhere else."""

    __slots__ = ()
    force_liquid_default = True


class Language(Environment):
    """Liquid without files, without unsafe output, and with an end to every loop."""

    template_class = Part

    loop_iteration_limit = 1_000
    output_stream_limit = 400_000
    local_namespace_limit = 100_000
    block_nesting_limit = 15

    def __init__(self, autoescape: bool) -> None:
        super().__init__(undefined=Missing, autoescape=autoescape)
        for tag in LEFT_OUT_TAGS:
            del self.tags[tag]
        for name in LEFT_OUT_FILTERS:
            del self.filters[name]


HTML = Language(autoescape=True)
TEXT = Language(autoescape=False)
ADDRESS = Language(autoescape=False)
ADDRESS.filters["url_encode"] = str  # every value in an address is encoded already


def encoded(value: Any) -> Any:
    """The value with each text in it percent-encoded, so that inside an address it cannot be more than a word.

    Raises LiquidError for one nested too deeply to walk through.
    """
    try:
        return _encoded(value)
    except RecursionError as error:
        raise LiquidError("a value is nested too deeply", token=None) from error


def _encoded(value: Any) -> Any:
    if isinstance(value, str):
        return quote(value, safe="")
    if isinstance(value, dict):
        return {name: _encoded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(each) for each in value]
    return value


def unescaped(source: str) -> str:
    """The source with `&lt;`, `&quot;` and the like inside variables and tags written as the signs they mean."""
    return PIECE.sub(lambda piece: unescape(piece[0]), source)


def parse(source: str, language: Language = HTML) -> Part:
    """The compiled template; raises LiquidError with the place of the first mistake."""
    part = language.from_string(source)
    assert isinstance(part, Part)  # It is the language's template_class.
    return part


def problems(source: str, where: str) -> list[str]:
    """What is wrong with the variables of a source, each as a sentence that names the line; `where` is its field."""
    try:
        template = parse(source)
    except LiquidError as error:
        return [f"{_place(error, source, where)}: {_sentence(error)}"]
    found = [f"{where}, line {_line(source, at)}: {sentence}" for at, sentence in _refused(source)]
    analysis = template.analyze()
    for name, spans in analysis.filters.items():
        if name not in HTML.filters:
            line = _line(source, spans[0].index)
            found.append(f"{where}, line {line}: “{name}” is not a filter. Expected one of {_list(HTML.filters)}.")
    for variables in analysis.globals.values():
        for variable in variables:
            if not _is_known(variable.segments):
                line, name = _line(source, variable.span.index), ".".join(map(str, variable.segments))
                found.append(f"{where}, line {line}: “{name}” is not known. Expected one of {_list(known_names())}.")
    return found


def _refused(source: str) -> Iterator[tuple[int, str]]:
    for piece in PIECE.finditer(source):
        if RANGE.search(piece[0]) and not re.match(r"\{%-?\s*for\b", piece[0]):
            yield piece.start(), "a range such as (1..5) may stand in a “for” only."


def _is_known(segments: list[Any]) -> bool:
    provider = Values.registry.get(str(segments[0]))
    if provider is None or len(segments) < 2:
        return False
    return provider.takes_any_name or segments[1] in provider.names


def _line(source: str, index: int) -> int:
    return source.count("\n", 0, max(index, 0)) + 1


def _place(error: LiquidError, source: str, where: str) -> str:
    context = error.context()
    return f"{where}, line {context[0]}" if context else f"{where}, line {_line(source, len(source))}"


def _sentence(error: LiquidError) -> str:
    said = str(error.message).replace("'", "”").replace(" ”", " “")
    return f"{said}. Expected variables as {{{{ customer.first_name }}}} and tags as {{% if … %}} … {{% endif %}}."


def _list(names: Any) -> str:
    return ", ".join(sorted(names))
