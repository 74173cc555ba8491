"""What the shell offers while a command line is typed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeAlias

import typer
from typer._click.shell_completion import CompletionItem, add_completion_class, split_arg_string
from typer._completion_classes import BashComplete
from typer._completion_shared import _completion_scripts

from mbv2cli.errors import UserError
from mbv2cli.shown import is_visible

Offer: TypeAlias = Callable[[typer.Context, str], list[str]]
"""Returns the words that start with what is typed so far."""

_BREAKS: Final = frozenset({":", "=", ":="})
"""Signs that bash takes for words of their own."""

_OF_SHELLS: Final = frozenset(" \u00a0\u3000\\$`'\"!#&();*<>?^{|}~")
"""Signs that separate or quote words for a shell, or that a shell replaces or runs."""


def board_names() -> Iterable[str]:
    """Return the boards that mbv2 knows."""
    from mbv2cli.specs.boards import boards

    return boards()


def completion(names: Callable[[], Iterable[str]]) -> Offer:
    """Return the offer of these names. Asks for them only when a word is typed."""
    return context_completion(lambda _context: names())


def context_completion(names: Callable[[typer.Context], Iterable[str]]) -> Offer:
    """Return the offer of the names that fit the words typed before.

    A file that has a mistake has no names: the command itself says what the mistake is. A name
    that a shell would split, or run, is not offered.
    """

    def offer(ctx: typer.Context, incomplete: str) -> list[str]:
        try:
            return [name for name in names(ctx) if name.startswith(incomplete) and _is_word(name)]
        except UserError:
            return []

    return offer


def _is_word(name: str) -> bool:
    """Return whether every shell takes ``name`` for one word as it is."""
    return is_visible(name) and _OF_SHELLS.isdisjoint(name)


def list_completion(names: Callable[[typer.Context], Iterable[str]]) -> Offer:
    """Return the offer of names with commas between them, each once.

    A ``-`` before a name stays: it reverses an order.
    """

    def offer(ctx: typer.Context, incomplete: str) -> list[str]:
        before, comma, typed = incomplete.rpartition(",")
        given = {name.removeprefix("-") for name in before.split(",")}
        sign = "-" if typed.startswith("-") else ""
        found = context_completion(names)(ctx, typed.removeprefix("-"))
        return [f"{before}{comma}{sign}{name}" for name in found if name not in given]

    return offer


def target_words(typed: str) -> Iterable[str]:
    """Return the targets or, after ``TARGET:``, the target with each key that is not given yet.

    After ``TARGET:key=``, return the target with each value of the key, if these are words.
    Raises `UserError` if there is no such target.
    """
    from mbv2cli.specs.base import choices, keys
    from mbv2cli.specs.reader import KINDS, read_target, target_names
    from mbv2cli.specs.run import InputSpec

    name, colon, inline = typed.partition(":")
    if not colon:
        return target_names()
    before, comma, last = inline.rpartition(",")
    start = f"{name}:{before}{comma}"
    kind = read_target(name).described.kind
    fields = {**keys(KINDS[kind]), **keys(InputSpec)}
    key, equals, _ = last.partition("=")
    if equals:
        return [f"{start}{key}={word}" for word in (choices(fields[key]) if key in fields else ())]
    given = {pair.partition("=")[0] for pair in before.split(",")}
    return [f"{start}{one}=" for one in fields if one not in given]


def offer_targets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the targets that start with what is typed."""
    return context_completion(lambda _context: target_words(incomplete))(ctx, incomplete)


def configured_cases(file: Path | None) -> Iterable[str]:
    """Return the names of the cases of a file, by default of the nearest configuration.

    Raises `UserError` if there is none, or if it has mistakes.
    """
    from mbv2cli.gate.config import find_config, read_config
    from mbv2cli.specs.files import working_folder

    return [case.name for case in read_config(file or find_config(working_folder())).cases]


def locked_cases() -> Iterable[str]:
    """Return the names of the cases of the nearest lock. Raises `UserError` if there is none."""
    from mbv2cli.gate.config import find_config, lock_beside
    from mbv2cli.gate.lock import read_lock
    from mbv2cli.specs.files import working_folder

    return read_lock(lock_beside(find_config(working_folder())))


_SCRIPT: Final = BashComplete.source_template.replace(
    "    return 0\n",
    "    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2> /dev/null\n    return 0\n",
)
"""The script of Typer, but bash adds no space after ``width_mult=``, where a value follows.

Bash 3 has no ``compopt``; there the space stays.
"""


class _Bash(BashComplete):
    """Takes words together that bash splits at ``:`` and ``=``.

    Bash replaces only what is behind the last of these signs, so only that is offered.
    """

    source_template = _SCRIPT
    replaced: str = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        words = split_arg_string(os.environ["COMP_WORDS"])
        last = int(os.environ["COMP_CWORD"])
        whole: list[str] = []
        joins = False
        for word in [*words, ""][1 : last + 1]:
            if whole and (joins or word in _BREAKS):
                whole[-1] += word
            else:
                whole.append(word)
            joins = word in _BREAKS
        current = words[last] if last < len(words) and words[last] not in _BREAKS else ""
        incomplete = whole.pop() if whole else ""
        self.replaced = incomplete.removesuffix(current)
        return whole, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        return str(item.value).removeprefix(self.replaced)


def use_own_bash() -> None:
    """Complete the words of bash by our rules from now on."""
    add_completion_class(_Bash, "bash")
    _completion_scripts["bash"] = _SCRIPT  # of --show-completion and --install-completion


def words_before(context: Any) -> list[str]:
    """Return the words typed before the incomplete one."""
    words: list[str] = context.meta.get(__name__, [])
    return words


def remember_words(context: Any, words: list[str]) -> None:
    """Keep the words of a line that is not whole yet, for `words_before`."""
    context.meta[__name__] = list(words)
