"""The drawings of the guide ``memory`` are those of the code."""

from __future__ import annotations

from mbv2cli.costs.memory import MEMORY_RULES
from tests.costs.drawings import drawings, in_guide


def test_each_rule_has_one_drawing_and_the_drawing_is_true() -> None:
    drawn = drawings()
    assert set(drawn) == {*(rule.name for rule in MEMORY_RULES), "tflm", "patch"}
    assert in_guide() == drawn
