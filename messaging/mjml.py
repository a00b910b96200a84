"""From MJML as staff write it to the HTML and text that are filled in for each customer."""

import re
from dataclasses import dataclass, field
from html import escape, unescape
from html.parser import HTMLParser

import mrml

from . import language
from .text import as_text

COMPONENTS = frozenset(
    re.findall(
        r"\S+",
        "mjml mj-accordion mj-accordion-element mj-accordion-text mj-accordion-title mj-all mj-attributes mj-body "
        "mj-breakpoint mj-button mj-carousel mj-carousel-image mj-class mj-column mj-divider mj-font mj-group mj-head "
        "mj-hero mj-image mj-navbar mj-navbar-link mj-preview mj-raw mj-section mj-social mj-social-element mj-spacer "
        "mj-style mj-table mj-text mj-title mj-wrapper",
    )
)
VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"))
UNTRACKED = ("mailto:", "tel:", "sms:", "#")
ANCHOR = re.compile(r"""(<a\b[^>]*?\shref\s*=\s*)(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
WEB_ADDRESS = re.compile(r"https?://[^\s/?#{}<>\"\\@]+([/?#]|$)", re.IGNORECASE)
# Each tag begins a line, so that no line is so long (998) that mail must be sent quoted-printable, which takes Python
# longer than all the rest.
TAG_START = re.compile(r"<([a-z][a-z0-9]*) (?=[a-z])")
PIXEL = '<img src="{{ links.open }}" width="1" height="1" alt="" style="display:block;border:0;width:1px;height:1px;">'
HIDDEN = '<div style="display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:1px;">{}</div>'
NO_FONTS: dict[str, str] = {}
FOOTER_START = (
    '<mj-section background-color="transparent" padding="8px 16px 24px"><mj-column>'
    '<mj-text align="center" font-family="Helvetica, Arial, sans-serif" font-size="12px" line-height="18px" '
    'color="#5f6673">'
)
FOOTER_IDENTITY = "{{ store.name }}{% if store.postal_address %}<br/>{{ store.postal_address }}{% endif %}"
FOOTER_UNSUBSCRIBE = '<a href="{{ links.unsubscribe }}" style="color:#5f6673;">Unsubscribe</a>'
FOOTER_END = "</mj-text></mj-column></mj-section>"


@dataclass(frozen=True)
class Compiled:
    """HTML and text with variables kept; `§link:n§` stands for the n-th of `urls`, as they were written."""

    html: str
    text: str
    urls: list[str] = field(default_factory=list)

    def linked(self, numbers: dict[str, int]) -> tuple[str, str]:
        """HTML and text whose links lead through ours; `numbers` gives the number of each address."""

        def number(match: re.Match[str]) -> str:
            return f"{{{{ links.click }}}}{numbers[self.urls[int(match[1])]]}"

        html, text = (re.sub(r"§link:(\d+)§", number, part) for part in (self.html, self.text))
        return html, text


class NotCompiled(ValueError):
    """The body cannot be turned into an e-mail; `sentences` say where and why."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


def compile_email(body: str, preview: str = "", is_marketing: bool = False) -> Compiled:
    """The e-mail that `body` (MJML with variables) describes; raises NotCompiled with what to correct.

    Marketing mail gets the store's name and address and an unsubscribe link at its foot, unless the body has them.
    """
    source = language.unescaped(body)
    if sentences := language.problems(source, "Body"):
        raise NotCompiled(sentences)
    if sentences := _Structure.problems(_masked(source)[0]):
        raise NotCompiled(sentences)
    if is_marketing:
        source = _with_footer(source)
    masked, pieces = _masked(source)
    html = _html(masked, pieces)
    html, urls = _tracked(html, pieces)
    text = as_text(html)
    html = _dressed(html, preview)
    compiled = Compiled(_unmasked(html, pieces), _unmasked(text, pieces), urls)
    if sentences := _unbalanced(compiled.html):
        raise NotCompiled(sentences)
    return compiled


def _masked(source: str) -> tuple[str, list[str]]:
    """The source with each variable and tag replaced by a word that MJML leaves alone, and what they were."""
    pieces: list[str] = []

    def mask(match: re.Match[str]) -> str:
        pieces.append(match[0])
        return f"zlq{len(pieces) - 1}z" + "\n" * match[0].count("\n")

    return language.PIECE.sub(mask, source), pieces


def _unmasked(masked: str, pieces: list[str]) -> str:
    def piece(match: re.Match[str]) -> str:
        found = pieces[int(match[1])]
        return found + match[2][found.count("\n") :]

    return re.sub(r"zlq(\d+)z(\n*)", piece, masked)


def _html(masked: str, pieces: list[str]) -> str:
    try:
        html = str(mrml.to_html(masked, None, mrml.RenderOptions(fonts=NO_FONTS)).content)
    except OSError as error:
        raise NotCompiled([f"Body: {error}. Expected MJML: mjml, mj-body, mj-section, mj-column, mj-text."]) from error
    kept = {int(number) for number in re.findall(r"zlq(\d+)z", html)}
    for number, piece in enumerate(pieces):
        if number not in kept:
            line = masked[: masked.index(f"zlq{number}z")].count("\n") + 1
            raise NotCompiled(
                [f"Body, line {line}: {piece} stands where MJML drops it. Put it inside mj-text or mj-raw."]
            )
    return TAG_START.sub(r"<\1\n", html)


def _tracked(html: str, pieces: list[str]) -> tuple[str, list[str]]:
    """HTML whose web addresses are `§link:n§`, and those addresses as they were written."""
    urls: list[str] = []

    def track(match: re.Match[str]) -> str:
        url = unescape(_unmasked(match[2] or match[3] or "", pieces)).strip()
        if url.lower().startswith(UNTRACKED) or "links.unsubscribe" in url:
            return match[0]
        if not WEB_ADDRESS.match(url):
            raise NotCompiled(
                [f"Body: the link “{url}” is no address. Expected https:// and a fixed host, mailto: or tel:."]
            )
        if sentences := language.problems(url, f"Link “{url}”"):
            raise NotCompiled(sentences)
        if url not in urls:
            urls.append(url)
        return f'{match[1]}"§link:{urls.index(url)}§"'

    return ANCHOR.sub(track, html), urls


def _with_footer(source: str) -> str:
    parts = []
    if "store.postal_address" not in source:
        parts.append(FOOTER_IDENTITY)
    if "links.unsubscribe" not in source:
        parts.append(FOOTER_UNSUBSCRIBE)
    if not parts:
        return source
    start, end, rest = source.rpartition("</mj-body>")
    return f"{start}{FOOTER_START}{'<br/>'.join(parts)}{FOOTER_END}{end}{rest}"


def _dressed(html: str, preview: str) -> str:
    """HTML with the preview line as the first and the open pixel as the last thing of its body."""
    if preview:
        hidden = HIDDEN.format(_escaped_around_pieces(preview))
        html = re.sub(r"<body[^>]*>", lambda match: match[0] + hidden, html, count=1)
    return html.replace("</body>", f"{PIXEL}</body>")


def _escaped_around_pieces(source: str) -> str:
    masked, pieces = _masked(source)
    # Masks of the preview are put back at once: those of the body are counted apart.
    return _unmasked(escape(masked), pieces)


def _unbalanced(html: str) -> list[str]:
    try:
        language.parse(html)
    except language.LiquidError as error:
        return [f"Body: {error.message}. Expected each {{% if %}} and {{% for %}} to end inside the same MJML element."]
    return []


class _Structure(HTMLParser):
    """Finds elements that are unknown, not closed, or closed by another, with their lines."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[tuple[str, int]] = []
        self.found: list[str] = []
        self.seen: set[str] = set()

    @classmethod
    def problems(cls, source: str) -> list[str]:
        """What is wrong with the elements of a body, each as a sentence that names the line; at most three."""
        parser = cls()
        parser.feed(source)
        parser.close()
        for tag, line in [] if parser.found else parser.open:
            parser.found.append(f"Body, line {line}: <{tag}> is never closed. Expected </{tag}>.")
        for tag in ("mjml", "mj-body"):
            if tag not in parser.seen and not parser.found:
                parser.found.append(f"Body, line 1: <{tag}> is missing. Expected <mjml><mj-body> … </mj-body></mjml>.")
        return parser.found[:3]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        line = self.getpos()[0]
        self.seen.add(tag)
        if tag.startswith("mj") and tag not in COMPONENTS:
            self.found.append(
                f"Body, line {line}: <{tag}> is not an MJML element. Expected mj-text, mj-button, mj-image …"
            )
        if tag in ("script", "iframe", "object", "embed", "form"):
            self.found.append(f"Body, line {line}: <{tag}> does not work in e-mail. Take it out.")
        if tag not in VOID:
            self.open.append((tag, line))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        line = self.getpos()[0]
        if tag in VOID:
            return
        if not self.open:
            self.found.append(f"Body, line {line}: </{tag}> closes nothing. Take it out.")
        elif self.open[-1][0] == tag:
            self.open.pop()
        elif not self.found:
            name, opened = self.open[-1]
            self.found.append(f"Body, line {line}: expected </{name}> (opened on line {opened}), found </{tag}>.")
            self.open = [each for each in self.open if each[0] != tag]

    def handle_data(self, data: str) -> None:
        if "<" in data:
            line = self.getpos()[0] + data[: data.index("<")].count("\n")
            self.found.append(f"Body, line {line}: expected &lt; for the sign <, found <.")
