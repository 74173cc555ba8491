"""Markdown of what somebody else has named."""

from __future__ import annotations


def code(name: str) -> str:
    """Return ``name`` as code that stays in its cell of a table."""
    return "`" + name.replace("|", r"\|") + "`"
