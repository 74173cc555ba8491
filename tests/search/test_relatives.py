"""Stages of plain convolutions: what ends with an activation, and what with an addition."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from mbv2cli import plan_of
from mbv2cli.costs.figures import Counting, figure_named
from mbv2cli.costs.memory import MEMORY_RULES, MemoryRule
from mbv2cli.search.engine import Engine
from mbv2cli.search.query import REPORTED
from mbv2cli.search.space import read_space
from mbv2cli.specs.reader import Setting, read_request

STAGES = [
    {"c": [8, 16], "n": [1, 3], "s": [1, 2], "type": ["conv", "inverted"], "act": "relu"},
    {"c": 16, "n": 2, "s": 2, "type": ["conv"], "shortcut": ["identity", "none", "projection"]},
]


@pytest.mark.parametrize("rule", MEMORY_RULES, ids=lambda rule: rule.name)
def test_figures_of_stages_of_convolutions_are_those_of_each_plan(rule: MemoryRule) -> None:
    values = {"stages": STAGES, "size": 16, "stem": 16, "head": 0, "act": "hardswish"}
    space = read_space("network", [Setting(key, one, f"--{key}") for key, one in values.items()])
    members = list(product(*(range(len(axis.values)) for axis in space.varied)))
    counting = Counting(rule=rule.name)
    found = Engine(space, REPORTED, counting, 0).values(np.array(members, np.intp).T)
    for member, figures in zip(members, zip(*found, strict=True), strict=True):
        request = read_request(space.target(member))
        plan = plan_of(request.spec, request.input)
        wanted = tuple(plan.figure(figure_named(name), counting) for name in REPORTED)
        assert figures == wanted, space.target(member)
