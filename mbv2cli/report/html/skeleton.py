"""A page for a browser: one file that holds all it needs and loads nothing.

Without JavaScript the page is whole; with it tables sort and fold, and sliders move.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

from mbv2cli.report.page import BAD, BOLD, DIM, GOOD, WARNING, Line
from mbv2cli.shown import escaped, shown
from mbv2cli.version import __version__

_FOLDER: Final = Path(__file__).parent

_CLASSES: Final = {BOLD: "strong", DIM: "dim", GOOD: "good", BAD: "bad", WARNING: "warning"}
"""The classes of ``page.css`` for the styles of lines and cells."""


MOST_BYTES: Final = 300_000
"""What a page may take: people send it by mail, and a browser opens it at once."""

FRAME: Final = 2_000
"""More bytes than a section with an empty table and a sentence takes."""

TOO_LARGE: Final = f"would make the page larger than {MOST_BYTES // 1000} kB"
"""Why something is not on a page."""


class Section(NamedTuple):
    """A part of a page below a heading. ``content`` is HTML."""

    heading: str
    content: str


class HtmlPage(NamedTuple):
    """A page: its title, the lines below the title, and its sections.

    ``data`` is what the script of the page reads; JSON values, None if there is none.
    """

    title: str
    lines: tuple[Line, ...]
    sections: tuple[Section, ...]
    data: object = None


def page_text(page: HtmlPage, command: str) -> str:
    """Return the file, in ASCII. ``command`` made the page."""
    style, script = _asset("page.css"), _asset("page.js")
    text = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{shown_text(page.title)}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{shown_text(page.title)}</h1>
{paragraphs(page.lines)}
</header>
<main>
{"".join(map(_section, page.sections))}</main>
<footer>
<p>mbv2 {escape(__version__)} made this page with the command</p>
<pre><code>{escape(escaped(command))}</code></pre>
</footer>
{_data_block(page.data)}<script>{script}</script>
</body>
</html>
"""
    return text.encode("ascii", "xmlcharrefreplace").decode()


def size_of(html: str) -> int:
    """Return the bytes that a piece of a page takes in its file."""
    return len(html.encode("ascii", "xmlcharrefreplace"))


def shown_text(text: str) -> str:
    """Return a text as HTML: no sign of it is mark-up, and each can be seen."""
    return escape(shown(text))


def class_of(style: str) -> str:
    """Return the CSS class for the style of a line or a cell; "" for plain text."""
    return _CLASSES.get(style, "")


def paragraphs(lines: Iterable[Line]) -> str:
    """Return a paragraph for each line that has a text."""
    return "\n".join(
        f"<p{_class(class_of(line.style))}>{shown_text(line.text.strip())}</p>"
        for line in lines
        if line.text
    )


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def _section(section: Section) -> str:
    return f"<section>\n<h2>{shown_text(section.heading)}</h2>\n{section.content}\n</section>\n"


@cache
def _asset(name: str) -> str:
    """Return a file beside this module, with a line break at both ends."""
    return f"\n{(_FOLDER / name).read_text('ascii').strip()}\n"


def _policy(style: str, script: str) -> str:
    """Return what the browser may load and run: the style and the script of the page alone."""
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"script-src '{_hash(script)}'; style-src '{_hash(style)}'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _data_block(data: object) -> str:
    """Return values for the script. No text in them ends the element."""
    if data is None:
        return ""
    text = json.dumps(data, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="data">{text}</script>\n'
