from __future__ import annotations

import pytest
from hypothesis import given

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, plan_of
from mbv2cli.costs.conventions import (
    MAC_CONVENTIONS,
    PARAM_CONVENTIONS,
    PTFLOPS,
    Convention,
    count,
)
from mbv2cli.graph.ops import Arithmetic, Kind, Op, Plain
from tests.reference_tables import rows
from tests.strategies import input_specs, network_specs

PUBLISHED = rows("counting_conventions")


@pytest.mark.parametrize(
    ("convention", "row"),
    list(zip(MAC_CONVENTIONS, PUBLISHED, strict=True)),
    ids=[row["convention"] for row in PUBLISHED],
)
def test_published_counts(convention: Convention, row: dict[str, str]) -> None:
    assert count(convention, plan_of(NetworkSpec()).graph.ops).total == int(row["value"])


@pytest.mark.parametrize("row", rows("tfslim"), ids=lambda row: row["width_mult"])
def test_params_of_tf_slim(row: dict[str, str]) -> None:
    ops = plan_of(NetworkSpec(width_mult=float(row["width_mult"]))).graph.ops
    published = float(row["params_M_without_batchnorm"])
    assert round(count(PARAM_CONVENTIONS[2], ops).total / 10**6, 2) == published


@given(network_specs(), input_specs)
def test_a_total_is_its_base_and_what_is_added(spec: NetworkSpec, input_: InputSpec) -> None:
    plan = plan_of(spec, input_)
    for convention in MAC_CONVENTIONS:
        result = count(convention, plan.graph.ops)
        added = sum(one.amount for one in result.added)
        assert result.total == convention.factor * plan.totals.macs + added


@pytest.mark.parametrize(("act", "times"), [("relu", 2), ("relu6", 1), ("hardswish", 0)])
def test_ptflops_counts_an_activation_by_its_kind(act: str, times: int) -> None:
    spec = BlockSpec.model_validate({"in": 8, "out": 8, "act": act})
    added = count(PTFLOPS, plan_of(spec, InputSpec(size=(10, 12))).graph.ops).added
    assert [one.amount for one in added if one.what.startswith("activations")] == [times * 11520]


def test_an_operation_without_a_rule_is_unknown() -> None:
    known = plan_of(NetworkSpec()).graph.ops
    shape = (1, 8, 4, 4)
    unknown = Op(Kind.UNKNOWN, "einsum", Plain(), (0,), (shape,), shape)
    product = Op(Kind.MUL, "mul", Arithmetic(), (0, 0), (shape, shape), shape)
    for convention in MAC_CONVENTIONS:
        found = count(convention, (*known, unknown))
        assert (found.total, found.unknown) == (count(convention, known).total, ("einsum",))
    # convolutions + linear layers count a product exactly: as nothing
    assert count(MAC_CONVENTIONS[0], (*known, product)).unknown == ()
    assert count(MAC_CONVENTIONS[4], (*known, product)).unknown == ("mul",)
