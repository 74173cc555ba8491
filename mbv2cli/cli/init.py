"""`mbv2 init`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from mbv2cli.cli.files import outputs
from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.options import Quiet, Target
from mbv2cli.cli.output import write_stdout
from mbv2cli.errors import UserError
from mbv2cli.gate.config import FILE, is_in_shared_file
from mbv2cli.gate.starter import PRE_COMMIT, WORKFLOW, starter_config
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec, RunSpec
from mbv2cli.specs.files import working_folder
from mbv2cli.specs.reader import Setting

_CONFIG: Final = Path(FILE)
_WORKFLOW: Final = Path(".github", "workflows", "mbv2.yml")
_PRE_COMMIT: Final = Path(".pre-commit-config.yaml")

HELP = """\
The limits are 10 % above the figures of TARGET. No file is written over. Without torch.

  mbv2 init network:width_mult=0.5 --github

  mbv2 init mobilenetv2_100 --dtype int8 --pre-commit
"""


@with_flags(target_settings=(BlockSpec, NetworkSpec, InputSpec), run_settings=(RunSpec,))
def init(
    target: Target = "block",
    *,
    target_settings: list[Setting],
    run_settings: list[Setting],
    github: Annotated[
        bool,
        typer.Option(
            "--github", help=f"Write {_WORKFLOW.as_posix()} too.", rich_help_panel="Output"
        ),
    ] = False,
    pre_commit: Annotated[
        bool,
        typer.Option("--pre-commit", help=f"Write {_PRE_COMMIT} too.", rich_help_panel="Output"),
    ] = False,
    quiet: Quiet = False,
) -> None:
    files = {_CONFIG: starter_config(target, [*target_settings, *run_settings])}
    if github:
        files[_WORKFLOW] = WORKFLOW
    if pre_commit:
        files[_PRE_COMMIT] = PRE_COMMIT
    _refuse_existing(files)
    with ExitStack() as undo:
        with outputs() as opened:
            for file, text in files.items():
                _make_folder(file.parent, undo)
                opened(file).write(text.encode())
        undo.pop_all()
    if not quiet:
        write_stdout("".join(f"{line}\n" for line in _told(files)))


def _told(files: Collection[Path]) -> Iterator[str]:
    """Yield what was written, and what to do next."""
    yield from (f"wrote {file.as_posix()}" for file in files)
    if _WORKFLOW in files:
        yield (
            "The workflow installs mbv2 from tools/mbv2: copy the repository there, or write a "
            "wheel or a git address in the workflow."
        )
    yield "Run mbv2 check to check the limits, then mbv2 lock to record the figures."


def _refuse_existing(files: Iterable[Path]) -> None:
    """Raise `UserError` before anything is written if a file is there already."""
    names = [file.as_posix() for file in files if file.exists() or file.is_symlink()]
    if names:
        raise UserError(
            f"mbv2 init does not write over a file, and these files exist: {', '.join(names)}; "
            "move them away, or run mbv2 init in another folder"
        )
    if is_in_shared_file(working_folder()):
        raise UserError(
            f"pyproject.toml has the cases of this folder, in [tool.mbv2], and {FILE} would hide "
            "them; add a case to pyproject.toml"
        )


def _make_folder(folder: Path, undo: ExitStack) -> None:
    """Make a folder and those above it, which ``undo`` removes. Raises `UserError`."""
    try:
        for one in reversed((folder, *folder.parents)):
            if not one.is_dir():
                one.mkdir()
                undo.callback(_remove_empty, one)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror}") from None


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
