"""Limits as an assertion, for pytest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, overload

from mbv2cli.errors import UserError
from mbv2cli.gate.cases import Case, confirmed_result, planned_result, refuse_features
from mbv2cli.gate.limits import Expectations, verdicts
from mbv2cli.gate.outcomes import CheckReport, Outcome
from mbv2cli.inspection import DEFAULT_INPUT, Model, ModelSpec, Observed, Plan
from mbv2cli.report.check.sentences import broken_text, failures
from mbv2cli.report.text import described
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec, RunSpec
from mbv2cli.specs.module import DEFAULT_SHAPE, TensorSpec, read_input
from mbv2cli.specs.reader import Request
from mbv2cli.specs.requests import AnyRequest, read_any_request

if TYPE_CHECKING:
    from torch import nn


@overload
def check(
    model: ModelSpec,
    input: InputSpec = ...,
    *,
    expect: Mapping[str, object] | str,
    forward: bool = ...,
    dtype: str = ...,
) -> Plan: ...


@overload
def check(
    model: str | nn.Module,
    input: str | Sequence[str] = ...,
    *,
    expect: Mapping[str, object] | str,
    forward: bool = ...,
    dtype: str = ...,
) -> Model: ...


def check(
    model: ModelSpec | str | nn.Module,
    input: InputSpec | str | Sequence[str] = (),
    *,
    expect: Mapping[str, object] | str,
    forward: bool = False,
    dtype: str = "float32",
) -> Model:
    """Return the graph and figures of ``model`` if it meets every expectation.

    ``model`` is a spec, a module of torch, or a TARGET such as ``"my_model.py:Net"``. ``expect``
    has the keys of a case in ``mbv2.toml`` (``output``, ``max_params``, ``max_macs``,
    ``max_peak`` …), or is the output shape alone (``"1x64x*x*"``). ``input`` of a spec is an
    `InputSpec`; of a module, the shape of each input, such as ``"1x3x64x64"``. A spec gives its
    `Plan`, and ``forward`` confirms every number by a forward pass, which loads torch. A module
    always runs once; it is afterwards as it was. Raises `AssertionError` with each broken limit,
    and `UserError` for a limit that does not exist.
    """
    expected = Expectations.model_validate(
        {"output": expect} if isinstance(expect, str) else dict(expect)
    )
    run = RunSpec.model_validate({"dtype": dtype})
    if isinstance(model, BlockSpec | NetworkSpec | str):
        request = _request(model, input)
        return _checked(Case(request.target, request, run, expected), forward=forward)
    return _checked_instance(model, _inputs(input), expected, run.dtype)


def _request(model: ModelSpec | str, input: InputSpec | str | Sequence[str]) -> AnyRequest:
    if isinstance(model, str):
        return read_any_request(model, (), _inputs(input))
    if not isinstance(input, InputSpec) and input:
        raise UserError("the input of a spec is an InputSpec, such as InputSpec(size=96)")
    return Request(model.noun, model, input if isinstance(input, InputSpec) else DEFAULT_INPUT)


def _inputs(input: InputSpec | str | Sequence[str]) -> list[str]:
    if isinstance(input, InputSpec):
        raise UserError('the input of a module is a shape, such as "1x3x64x64"')
    return [input] if isinstance(input, str) else list(input)


def _checked(case: Case, *, forward: bool) -> Model:
    result = confirmed_result(case) if forward or case.is_module else planned_result(case)
    outcome = Outcome(result)
    broken = list(failures(CheckReport([outcome]), outcome))
    if broken or result.model is None:
        raise AssertionError("\n".join([described(case.request), *broken]))
    return result.model


def _checked_instance(
    module: nn.Module, inputs: Sequence[str], expected: Expectations, dtype: str
) -> Model:
    from mbv2cli.nn.own import as_module, run_instance

    module = as_module(module)
    refuse_features(expected)
    specs = tuple(read_input(text, "input") for text in inputs) or (TensorSpec(DEFAULT_SHAPE),)
    try:
        model = Observed(run_instance(module, specs).graph)
    except UserError as error:
        raise AssertionError(f"{type(module).__name__}: {error}") from None
    broken = [broken_text(one) for one in verdicts(expected, model, dtype) if not one.holds]
    if broken:
        raise AssertionError("\n".join([type(module).__name__, *broken]))
    return model
