"""Files that try to run code, or to take all memory or time."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from mbv2cli.errors import UserError
from mbv2cli.specs.checkpoint.model import read_checkpoint
from tests.process import python
from tests.specs.weights import hostile
from tests.specs.weights.files import small_files

BOUNDS = {
    "a zip bomb": "a member of it unpacks to more than 16 MiB",
    "a million tensors": "its pickle has more than 250,000 instructions",
    "many members": "it has 300,000 members; mbv2 reads at most 50,000",
    "many fields (ONNX)": "it has more than 250,000 fields",
    "texts of 20 MB": "its pickle has more than 8 MiB of text",
    "dicts that double": "its values are nested too deep",
}
"""The sentences of files that a bound stops, and nothing else would."""

SECONDS = 2
MEGABYTES = 200
MUTATED = max(300, int(os.environ.get("FUZZ_INPUTS", "0")) // 10)


def test_no_file_runs_code_or_takes_more_than_its_share(tmp_path: Path) -> None:
    number = hostile.write_files(tmp_path)
    result = python("-m", "tests.specs.weights.hostile", str(tmp_path))
    assert result.stderr == ""
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == number
    for name, seconds, peak, outcome, ran in rows:
        assert not ran, f"{name}: {ran}"
        assert seconds < SECONDS, f"{name}: {seconds} s"
        assert peak < MEGABYTES, f"{name}: {peak} MB"
        assert outcome.startswith("is a ") or name in outcome
    for bomb, words in BOUNDS.items():
        (outcome,) = (outcome for name, *_, outcome, _ran in rows if name.endswith(f" {bomb}"))
        assert outcome.endswith(words), outcome


@pytest.mark.parametrize("kind", sorted(small_files()))
def test_a_file_with_changed_bytes_is_read_or_refused(kind: str, tmp_path: Path) -> None:
    path, content = tmp_path / "weights", small_files()[kind]
    path.write_bytes(content)
    assert read_checkpoint(path).model is not None
    for number in range(MUTATED // len(small_files())):
        source = random.Random(f"{kind} {number}")  # noqa: S311
        path.write_bytes(_mutated(source, content))
        try:
            read_checkpoint(path)
        except UserError as error:
            assert str(error).startswith((str(path), "cannot read"))  # noqa: PT017
        except Exception:
            print(f"the changes of random.Random({kind!r} {number})")  # noqa: T201
            raise


def _mutated(source: random.Random, content: bytes) -> bytes:
    """Return bytes with one to four changes."""
    changed = bytearray(content)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(changed) + 1)
        match source.choice(("flip", "flip", "cut", "insert", "large", "repeat", "remove")):
            case "flip":
                changed[at : at + 1] = bytes([source.randrange(256)])
            case "cut":
                del changed[at:]
            case "insert":
                changed[at:at] = source.randbytes(source.randint(1, 9))
            case "large":
                size = source.choice((1, 2, 4, 8))
                changed[at : at + size] = b"\xff" * size
            case "repeat":
                changed[at:at] = changed[at : at + source.randint(1, 60)]
            case _:
                del changed[at : at + source.randint(1, 9)]
    return bytes(changed)
