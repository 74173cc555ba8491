"""What may stand on a side of a comparison: a target, a report, a case of a lock."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from mbv2cli.errors import UserError, nearest
from mbv2cli.gate.lock import LockedCase, parse_lock
from mbv2cli.plan import Plan, plan_of
from mbv2cli.specs import InputSpec
from mbv2cli.specs.reader import KINDS, read_request


def side(words: str) -> Plan:
    """Return the plan of a target, a TOML file or a JSON report. Raises `UserError`."""
    if words.endswith(".json"):
        return _of_report(Path(words))
    request = read_request(words)
    return plan_of(request.spec, request.input)


def _of_report(path: Path) -> Plan:
    try:
        content = json.loads(path.read_text("utf-8"))
        spec = KINDS[content["kind"]].model_validate(content["spec"])
        return plan_of(spec, InputSpec.model_validate(content["input"]))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, RecursionError, UserError):
        raise UserError(
            f"{path} is no report of mbv2; write one by mbv2 summary --format json --output {path}"
        ) from None


def lock_at(path: Path, revision: str) -> Mapping[str, LockedCase]:
    """Return the cases of the lock at ``path`` as git has it at ``revision``.

    Raises `UserError` where git has none.
    """
    try:
        shown = subprocess.run(  # noqa: S603  (no shell, and no option can be smuggled in)
            ["git", "show", "--end-of-options", f"{revision}:./{path.name}"],  # noqa: S607  (the user's git)
            cwd=path.parent,
            capture_output=True,
            check=True,
        )
    except FileNotFoundError:
        raise UserError("comparing revisions of a lock needs git, which is not there") from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        raise UserError(f"git has no {path.name} at '{revision}': {reason}") from None
    return parse_lock(shown.stdout.decode("utf-8", "replace"), f"{path.name} at {revision}")


def locked_side(cases: Mapping[str, LockedCase], name: str, where: str) -> Plan:
    """Return the plan of a locked case. Raises `UserError` if there is none."""
    if name not in cases:
        raise UserError(f"{where} has no case '{name}'{nearest(name, cases)}")
    return cases[name].plan()
