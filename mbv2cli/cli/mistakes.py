"""Says what is wrong with a command line, and what to type instead."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from typer._click.core import Command, Context
from typer._click.exceptions import BadOptionUsage, NoSuchOption
from typer.core import TyperGroup, TyperOption

from mbv2cli.errors import UserError
from mbv2cli.report.formats import FORMATS
from mbv2cli.specs.reader import is_file, own_name, split_target, target_names
from mbv2cli.specs.synonyms import nearest_key

_DASHES: Final[Mapping[str, str]] = {"–": "an en dash", "—": "an em dash"}
"""Signs that word processors and web pages put in the place of hyphens."""

_FORMATS: Final[Mapping[str, str]] = {"md": "markdown", "xml": "junit", "junit_xml": "junit"}
"""Other names of formats."""

_OUTPUTS: Final = frozenset({"o", "out_file", "outfile", "output_file", "save", "save_to"})
"""Other names of ``--output``. In a file, the key ``output`` is the shape of the output."""

_KEY_VALUE: Final = re.compile(r"([A-Za-z][\w-]*)=(.+)")
_LISTS: Final = ("--print", "--columns", "--pareto")
"""Flags that take names with commas between them."""


def flags_of(command: Command, context: Context) -> Mapping[str, TyperOption]:
    """Return the options of a command by each name that they have: ``--quiet`` and ``-q``."""
    return {
        name: option
        for option in command.get_params(context)
        if isinstance(option, TyperOption)
        for name in (*option.opts, *option.secondary_opts)
    }


def refuse_mistyped(flags: Mapping[str, TyperOption], command: str, words: Sequence[str]) -> None:
    """Raise `UserError` for words that no flag or target of ``command`` can be.

    These are a pasted dash, a flag in the place of the value of a flag, ``key=value``, and values
    without a comma between them.
    """
    target = ""
    for flag, before, word in zip(("", "", *words), ("", *words), words, strict=False):
        is_value = takes_value(flags, before)
        if word[:1] in _DASHES:
            raise UserError(dash_sentence(word, "-" if is_value else "--"))
        if is_value and word.startswith("--"):
            raise UserError(f"{before} needs a value, not the flag {word}; try {command} -h")
        if flag in _LISTS and flag in flags and _is_next_value(flags, word):
            raise UserError(f"{flag} takes names with commas between: {flag} {before},{word}")
        if is_value or word.startswith("-"):
            continue
        if found := _KEY_VALUE.fullmatch(word):
            _refuse_setting(flags, target, found)
        target = word
    if words and takes_value(flags, words[-1]):
        raise UserError(f"{words[-1]} needs a value; try {command} -h")


def _is_next_value(flags: Mapping[str, TyperOption], word: str) -> bool:
    """Return whether ``word`` is neither a flag nor a target."""
    return not (word in flags or word.startswith("--") or is_target(word))


def is_target(word: str) -> bool:
    """Return whether ``word`` names a target, which may have inline settings."""
    name, _inline = split_target(word)
    return is_file(name) or own_name(name) is not None


def takes_value(flags: Mapping[str, TyperOption], word: str) -> bool:
    """Return whether ``word`` is a flag that a value must follow."""
    return word in flags and not flags[word].is_flag


def dash_sentence(word: str, hyphens: str) -> str:
    """Return what is wrong with a word that starts with a pasted dash."""
    right = hyphens + word.lstrip("-–—")
    return f"'{word}' starts with {_DASHES[word[0]]} ({word[0]}); write hyphens: {right}"


def _refuse_setting(flags: Mapping[str, TyperOption], target: str, found: re.Match[str]) -> None:
    """Raise `UserError` for ``width_mult=0.5`` without a target before it."""
    key, value = found.groups()
    flag = f"--{key.replace('_', '-')}"
    if flag not in flags:
        return
    inline = f"{target}{',' if ':' in target else ':'}{found[0]} or " if target else ""
    raise UserError(f"'{found[0]}' is not a TARGET; write {inline}{flag} {value}")


def unknown_command(word: str, rest: Sequence[str], commands: Iterable[str]) -> str:
    """Return what is wrong with a command line whose first word is not a command."""
    if word[:1] in _DASHES:
        return dash_sentence(word, "--")
    if is_target(word):
        line = shlex.join(["mbv2", "summary", word, *rest])
        return f"'{word}' is a TARGET, and mbv2 needs a command before it; try {line}"
    matches = difflib.get_close_matches(word.lower(), [*commands, *target_names()], n=1)
    if matches and is_target(matches[0]):
        hint = f"; did you mean mbv2 summary {matches[0]}?"
    else:
        hint = f"; did you mean mbv2 {matches[0]}?" if matches else ""
    return f"there is no command '{word}' (the commands are {', '.join(commands)}){hint}"


def explained(error: Exception, words: Sequence[str]) -> str:
    """Return what is wrong with ``words``, which Typer cannot parse, and what to try."""
    if isinstance(error, NoSuchOption) and error.ctx:
        return _unknown_flag(error, error.ctx, words)
    command = "mbv2" if words[0].startswith("-") else f"mbv2 {words[0]}"
    if isinstance(error, BadOptionUsage):
        return f"{error.option_name} takes no value; try {command} -h"
    return f"{error}; try {command} -h"


def _unknown_flag(error: NoSuchOption, context: Context, words: Sequence[str]) -> str:
    flag, command = error.option_name, context.command_path
    names = flags_of(context.command, context)
    if isinstance(context.command, TyperGroup):
        _, summary, _ = context.command.resolve_command(context, ["summary"])
        if summary and words[0].partition("=")[0] in flags_of(summary, context):
            line = shlex.join(["mbv2", "summary", *words])
            return f"mbv2 needs a command before {words[0]}; try {line}"
    typed = next((word for word in words if word.startswith(flag)), flag)
    if not flag.startswith("--") and f"-{typed}" in names:
        return f"{command} has no flag {typed}; write two hyphens: -{typed}"
    guess = _guess(typed.partition("=")[0], names, context.command.name or "")
    return f"{command} has no flag {flag} (try {command} -h){guess}"


def _guess(flag: str, names: Iterable[str], command: str) -> str:
    """Return the end of a sentence that names the flag to use, or ``""``."""
    name = flag.lstrip("-").lower().replace("-", "_")
    keys = [name.removeprefix("--").replace("-", "_") for name in names if name.startswith("--")]
    formats = FORMATS.get(command, {})
    if (word := _FORMATS.get(name, name)) in formats:
        return f"; did you mean --format {word}?"
    if name in _OUTPUTS and "output" in keys:
        return "; did you mean --output?"
    return nearest_key(name, keys, _flag)


def _flag(key: str, value: str) -> str:
    return f"--{key.replace('_', '-')} {value}".rstrip()
