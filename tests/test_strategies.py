"""The random specs leave out no field: else no property holds for it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, Stage
from tests.strategies import block_specs, input_specs, network_specs, stages

STRATEGIES: Final[dict[type[BaseModel], st.SearchStrategy[BaseModel]]] = {
    BlockSpec: block_specs(),
    NetworkSpec: network_specs(),
    Stage: stages,
    InputSpec: input_specs,
}


@pytest.mark.parametrize("model", STRATEGIES)
def test_every_field_is_drawn(model: type[BaseModel]) -> None:
    drawn: dict[str, set[Hashable]] = {name: set() for name in model.model_fields}

    @settings(max_examples=200, derandomize=True)
    @given(STRATEGIES[model])
    def draw(spec: BaseModel) -> None:
        for name, values in drawn.items():
            values.add(getattr(spec, name))

    draw()
    assert [name for name, values in drawn.items() if len(values) < 2] == []


def test_sizes_are_not_square() -> None:
    sizes: list[tuple[int, int]] = []

    @settings(max_examples=50, derandomize=True)
    @given(input_specs)
    def draw(spec: InputSpec) -> None:
        sizes.append(spec.size)

    draw()
    assert any(height < width for height, width in sizes)
    assert any(height > width for height, width in sizes)
