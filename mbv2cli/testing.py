"""Limits as an assertion, for pytest."""

from __future__ import annotations

from collections.abc import Mapping

from mbv2cli.gate.cases import Case, confirmed_result, planned_result
from mbv2cli.gate.limits import Expectations
from mbv2cli.gate.outcomes import CheckReport, Outcome
from mbv2cli.inspection import DEFAULT_INPUT, ModelSpec, Plan
from mbv2cli.report.check.sentences import failures
from mbv2cli.report.text import described
from mbv2cli.specs import InputSpec, RunSpec
from mbv2cli.specs.reader import Request


def check(
    spec: ModelSpec,
    input: InputSpec = DEFAULT_INPUT,
    *,
    expect: Mapping[str, object] | str,
    forward: bool = False,
    dtype: str = "float32",
) -> Plan:
    """Return the plan of ``spec`` if it meets every expectation.

    ``expect`` has the keys of a case in ``mbv2.toml`` (``output``, ``max_params``,
    ``max_macs``, ``max_peak`` …), or is the output shape alone (``"1x64x*x*"``). ``forward``
    confirms every number by a forward pass, which loads torch. Raises `AssertionError` with
    each broken limit, and `UserError` for a limit that does not exist.
    """
    case = Case(
        name=spec.noun,
        request=Request(spec.noun, spec, input),
        run=RunSpec.model_validate({"dtype": dtype}),
        expected=Expectations.model_validate(
            {"output": expect} if isinstance(expect, str) else dict(expect)
        ),
    )
    result = confirmed_result(case) if forward else planned_result(case)
    outcome = Outcome(result)
    broken = list(failures(CheckReport([outcome]), outcome))
    if broken:
        raise AssertionError("\n".join([described(case.request), *broken]))
    return result.plan
