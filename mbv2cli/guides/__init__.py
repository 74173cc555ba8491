"""The guides: Markdown files in this folder, one for each topic of ``mbv2 help``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent
_MARK: Final = re.compile(r"^<!-- .* -->\n\n?", re.MULTILINE)
"""The lines around a table that `tests.test_guides` writes."""
_LINK: Final = re.compile(r"\[([^\]]+)\]\([a-z-]+\.md\)")
"""A link to another guide. Its text is the command that shows that guide."""


def topics() -> Mapping[str, str]:
    """Return the first sentence of each guide, by topic, in alphabetical order."""
    return {topic: _first_sentence(_text(topic)) for topic in topic_names()}


def topic_names() -> tuple[str, ...]:
    """Return the names of the topics, in alphabetical order."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.md")))


def topic_page(topic: str) -> str:
    """Return the guide as Markdown, for a terminal. Raises `KeyError` if there is no such topic."""
    if topic not in topic_names():
        raise KeyError(topic)
    return _LINK.sub(r"\1", _MARK.sub("", _text(topic)))


def _text(topic: str) -> str:
    return (_FOLDER / f"{topic}.md").read_text("utf-8")


def _first_sentence(text: str) -> str:
    """Return the sentence below the title, on one line and without Markdown."""
    _title, _, body = text.partition("\n\n")
    paragraph = " ".join(body.partition("\n\n")[0].replace("`", "").split())
    return re.split(r"(?<=\.) ", paragraph, maxsplit=1)[0]
