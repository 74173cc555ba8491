"""The lock: what every case came to when it was last accepted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, PlainSerializer, ValidationError

from mbv2cli.errors import UserError
from mbv2cli.gate.cases import CaseResult
from mbv2cli.plan import Plan, Shape, plan_of
from mbv2cli.plan.memory import ELEMENT_BYTES, LAYERWISE, rule_named
from mbv2cli.plan.parts import peak_elements, stage_figures
from mbv2cli.plan.walk import Part, part_layers, parts
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.base import FrozenModel
from mbv2cli.specs.reader import parse_toml, read_text

VERSION: Final = 1
_HEADER: Final = (
    "# What each case came to. Written by `mbv2 lock`; read the diff before you commit it.\n"
)


def _read_shape(value: object) -> object:
    if isinstance(value, str):
        return tuple(int(size) for size in value.split("x"))
    return value


LockedShape = Annotated[
    Shape,
    BeforeValidator(_read_shape),
    PlainSerializer(lambda shape: "x".join(map(str, shape)), return_type=str),
]
"""A shape, one line of the lock: ``1x64x224x224``."""


class LockedCase(FrozenModel):
    """A case as it was accepted.

    ``spec`` holds the fields that are not the default, so that the layers of then can be planned
    again; ``layers`` is a digest of them. Stages tell their parameters, MACs and peak
    (layerwise) in a line each, for who reads the diff.
    """

    kind: Literal["block", "network"]
    spec: dict[str, Any]
    input: LockedShape
    output: LockedShape
    params: int
    macs: int
    peak_rule: str
    peak_dtype: str
    peak: int
    flash: int
    receptive_field: int
    layers: str
    stages: dict[str, str]

    @classmethod
    def of(cls, result: CaseResult) -> Self:
        """Return what is to be locked of ``result``."""
        plan, case, figures = result.plan, result.case, result.figures
        rule, size = rule_named(case.expected.peak_rule), ELEMENT_BYTES[case.run.dtype]
        return cls(
            kind="block" if isinstance(plan.spec, BlockSpec) else "network",
            spec=plan.spec.model_dump(by_alias=True, exclude_defaults=True, mode="json"),
            input=plan.input_shape,
            output=figures.output_shape,
            params=figures.params,
            macs=figures.macs,
            peak_rule=rule.name,
            peak_dtype=case.run.dtype,
            peak=peak_elements(rule, plan, figures) * size,
            flash=figures.flash_bytes,
            receptive_field=figures.receptive_field,
            layers=digest(plan),
            stages={
                stage.name: f"{stage.params} params, {stage.macs} MACs, "
                f"{stage.peaks[LAYERWISE.name] * size} bytes"
                for stage in stage_figures(plan.spec, plan.input_shape)
            },
        )

    def plan(self) -> Plan:
        """Plan again what was locked. Raises `UserError` if that is no model any more."""
        model = BlockSpec if self.kind == "block" else NetworkSpec
        spec = model.model_validate(self.spec)
        batch, _channels, *size = self.input
        return plan_of(spec, InputSpec.model_validate({"size": size, "batch": batch}))


def digest(plan: Plan) -> str:
    """Return what identifies the layers of ``plan``: a digest of every field of each."""
    digests: list[str] = []
    shape = plan.input_shape
    for _stage, _path, part in parts(plan.spec):
        part_digest, shape = _part_digest(part, shape)
        digests.append(part_digest)
    return f"sha256:{_sha256(digests)[:32]}"


@lru_cache(maxsize=2**16)
def _part_digest(part: Part, input_shape: Shape) -> tuple[str, Shape]:
    layers = part_layers(part, input_shape)
    return _sha256(repr(tuple(map(str, layer))) for layer in layers), layers[-1].output_shape


def _sha256(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def lock_text(results: Iterable[CaseResult]) -> str:
    """Return the lock: TOML, cases sorted by name, nothing in it that changes by itself."""
    import tomli_w

    cases = {result.case.name: LockedCase.of(result).model_dump(mode="json") for result in results}
    content = {"version": VERSION, "case": {name: cases[name] for name in sorted(cases)}}
    return _HEADER + tomli_w.dumps(content)


def read_lock(path: Path) -> Mapping[str, LockedCase]:
    """Return the locked cases by name. Raises `UserError` saying what to run."""
    try:
        text = read_text(path)
    except UserError as error:
        raise UserError(f"the lock cannot be used: {error}; {_REMEDY}") from None
    return parse_lock(text, str(path))


def parse_lock(text: str, place: str) -> Mapping[str, LockedCase]:
    """Return the cases of a lock that is at ``place``. Raises `UserError` saying what to run."""
    try:
        content = parse_toml(text, place)
    except UserError as error:
        raise UserError(f"the lock is corrupt: {error}; {_REMEDY}") from None
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        raise UserError(
            f"{place} is of version {version}, written by a newer mbv2 (this one reads {VERSION}); "
            "update mbv2, or run mbv2 lock to write it anew"
        )
    cases = content.get("case")
    if version != VERSION or not isinstance(cases, dict):
        raise UserError(f"the lock is corrupt: {place} has no version or no cases; {_REMEDY}")
    try:
        return {name: LockedCase.model_validate(case) for name, case in cases.items()}
    except ValidationError as error:
        field = ".".join(map(str, error.errors()[0]["loc"])) or "a case"
        raise UserError(f"the lock is corrupt: {place}: {field} is wrong; {_REMEDY}") from None


_REMEDY: Final = "restore it, or run mbv2 lock to write it anew"


def refuse_other_cases(locked: Iterable[str], configured: Iterable[str], path: Path) -> None:
    """Raise `UserError` where the lock does not have exactly the configured cases."""
    have, want = set(locked), set(configured)
    for names, words in ((want - have, "lacks"), (have - want, "has, and no longer needs,")):
        if names:
            first, more = sorted(names)[0], len(names) - 1
            others = f" and {more} more" if more else ""
            raise UserError(f"{path} {words} the case '{first}'{others}; run mbv2 lock")
