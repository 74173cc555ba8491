"""Files that other programs wrote, as a TARGET: recognised by their content, not by their name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from mbv2cli.errors import UserError
from mbv2cli.specs.files import read_head
from mbv2cli.specs.origin import Origin
from mbv2cli.specs.reader import Setting, is_file, split_target
from mbv2cli.specs.weights.read import starts_like_weights

ACCEPTED: Final = (
    "a report of mbv2 summary --format json, a configuration of Hugging Face (mobilenet_v2), "
    "once-for-all or MMPretrain, a list of [t, c, n, s], or a checkpoint (safetensors, PyTorch, "
    "Keras, ONNX)"
)
"""The files of other programs that are a TARGET."""

HEAD_BYTES: Final = 4096
"""The first bytes of a file, by which it is recognised."""


class ForeignModel(NamedTuple):
    """The model of a file: its kind (a key of ``KINDS``), its settings, and where they come from.

    ``origin`` is None for a file that mbv2 wrote.
    """

    kind: str
    settings: Sequence[Setting]
    origin: Origin | None


Reader: TypeAlias = Callable[[Path], ForeignModel]


class FileFormat(NamedTuple):
    """A format: whether a file starts like one, and what reads the file.

    ``read`` raises `UserError` for a file that it does not take.
    """

    starts: Callable[[bytes], bool]
    read: Reader


def read_foreign(path: Path) -> ForeignModel:
    """Read a file that is not TOML. Raises `UserError` for a file that is not a model."""
    head = read_head(path, HEAD_BYTES)
    return next(one.read for one in FORMATS if one.starts(head))(path)


def checkpoint_file(target: str) -> Path | None:
    """Return the file of a target if it starts like a checkpoint, else None."""
    name, _inline = split_target(target)
    if name.endswith(".toml") or not is_file(name):
        return None
    path = Path(name)
    return path if starts_like_weights(read_head(path, HEAD_BYTES)) else None


def _refused(what: str) -> Reader:
    def refuse(path: Path) -> ForeignModel:
        raise UserError(f"{path} is {what}, which is not a TARGET; give {ACCEPTED}")

    return refuse


def _read_text(path: Path) -> ForeignModel:
    from mbv2cli.specs.text_files import read_text_file

    return read_text_file(path)


def _read_weights(path: Path) -> ForeignModel:
    from mbv2cli.specs.checkpoint.model import checkpoint_model

    return checkpoint_model(path)


def _is_text(head: bytes) -> bool:
    return b"\0" not in head


FORMATS: Final = (
    FileFormat(starts_like_weights, _read_weights),
    FileFormat(_is_text, _read_text),
    FileFormat(lambda _head: True, _refused("a binary file of no format that mbv2 knows")),
)
"""Every format, in the order in which a file is compared with them. The last takes any file."""
