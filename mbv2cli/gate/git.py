"""What git has at another revision: a file, or all files of a repository."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from mbv2cli.errors import UserError

MAX_TREE_BYTES: Final = 2**30
"""Most bytes of all files of a revision together."""

MAX_TREE_FILES: Final = 200_000
"""Most files of a revision."""


class GitError(Exception):
    """Git says no; the message is git's own."""


def output_of(arguments: Sequence[str], folder: Path) -> bytes:
    """Return what ``git ARGUMENTS`` prints in ``folder``.

    Raises `GitError` if git says no, and `UserError` if git cannot be started.
    """
    try:
        done = subprocess.run(  # noqa: S603  (no shell)
            ["git", *arguments],  # noqa: S607  (the user's git)
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise _unusable(error) from None
    if done.returncode:
        raise GitError(_reason(done.stderr, done.returncode))
    return done.stdout


def root_of(folder: Path) -> Path:
    """Return the root of the repository that ``folder`` is in. Raises `UserError`."""
    try:
        return Path(os.fsdecode(output_of(["rev-parse", "--show-toplevel"], folder).rstrip(b"\n")))
    except GitError as error:
        raise UserError(f"git has no other revision of {folder}: {error}") from None


def commit_of(revision: str, root: Path) -> str:
    """Return the commit that a revision names. Raises `UserError`."""
    arguments = ["rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}"]
    try:
        return output_of(arguments, root).decode("ascii").strip()
    except GitError as error:
        raise UserError(f"git has no revision '{revision}': {error}") from None


def extract(commit: str, root: Path, folder: Path) -> None:
    """Write the files of a commit into ``folder``; the repository and its files stay as they are.

    No hook runs. Raises `UserError` if git cannot, or if the files are too many or too large.
    """
    with TemporaryFile() as errors:
        try:
            git = subprocess.Popen(  # noqa: S603  (no shell; a commit is no option)
                ["git", "archive", "--format=tar", commit],  # noqa: S607  (the user's git)
                cwd=root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        except OSError as error:
            raise _unusable(error) from None
        with git:
            try:
                _unpack(git.stdout, folder)
            except (tarfile.TarError, EOFError):
                git.kill()
            except BaseException:
                git.kill()
                raise
        if git.returncode:
            errors.seek(0)
            reason = _reason(errors.read(), git.returncode)
            raise UserError(f"git cannot read the files of {commit[:12]}: {reason}")


def _unpack(archive: IO[bytes] | None, folder: Path) -> None:
    total = 0
    with tarfile.open(fileobj=archive, mode="r|") as members:
        for number, member in enumerate(members):
            total += member.size
            if total > MAX_TREE_BYTES or number >= MAX_TREE_FILES:
                raise UserError(
                    f"the revision has more than {MAX_TREE_BYTES >> 30} GiB or {MAX_TREE_FILES:,} "
                    "files; mbv2 reads no repository of this size"
                )
            _write(members, member, folder)


def _write(members: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write a folder, a file or a link that stays inside ``folder``; leave out anything else."""
    path = folder / member.name
    if not _is_inside(folder, path.parent):
        return
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    content = members.extractfile(member) if member.isfile() else None
    if content is not None:
        path.write_bytes(content.read())
    elif member.issym() and _is_inside(folder, path.parent / member.linkname):
        path.symlink_to(member.linkname)


def _is_inside(folder: Path, path: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _unusable(error: OSError) -> UserError:
    if isinstance(error, FileNotFoundError):
        return UserError("comparing revisions needs git; install git")
    return UserError(f"comparing revisions needs git, which cannot be started: {error.strerror}")


def _reason(errors: bytes, code: int) -> str:
    reason = " ".join(errors.decode("utf-8", "replace").split()).removeprefix("fatal: ")
    return reason or f"git ended with exit code {code}"
