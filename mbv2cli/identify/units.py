"""From the steps of a graph to its units: a convolution with what follows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from mbv2cli.graph.build import ACTIVATIONS
from mbv2cli.graph.ops import Conv
from mbv2cli.identify.steps import Step, StepKind, Steps, chain_after, taken_by

_ACT_OF_FUNCTION: Final[Mapping[str, str]] = {
    activation.function: name for name, activation in ACTIVATIONS.items()
}

NO_ACT: Final = "identity"
"""The activation of a unit that has none."""


class Squeeze(NamedTuple):
    """A squeeze-excite: its channels, its two activations, and the numbers of its steps."""

    channels: int
    act: str
    gate: str
    steps: range


class Unit(NamedTuple):
    """A convolution with its norm, its activation and its squeeze-excite.

    ``conv``, ``source`` and ``end`` are numbers of steps: of the convolution, of what it takes
    (-1 is the input of the model), and of the last step. ``act`` is our name of the activation,
    "" for one that mbv2 has not.
    """

    conv: int
    source: int
    end: int
    act: str
    squeeze: Squeeze | None
    in_channels: int
    out_channels: int
    attributes: Conv

    @property
    def is_pointwise(self) -> bool:
        """Whether each output is a weighted sum of one pixel's channels, at each pixel."""
        conv, one = self.attributes, (1, 1)
        return self.is_dense and conv.kernel == conv.stride == conv.dilation == one

    @property
    def is_dense(self) -> bool:
        """Whether each output channel takes all input channels."""
        return self.attributes.groups == 1

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel is filtered by itself; one channel alone is so too."""
        return self.attributes.groups == self.in_channels == self.out_channels

    @property
    def stride(self) -> int | tuple[int, int]:
        """The stride, one number if both are equal."""
        height, width = (*self.attributes.stride, *self.attributes.stride)[:2]
        return height if height == width else (height, width)


def units_of(steps: Steps) -> Iterator[Unit]:
    """Yield the units in forward order."""
    takers = taken_by(steps.steps)
    for number, step in enumerate(steps.steps):
        op = steps.op_of(step)
        if step.kind is StepKind.CONV and isinstance(op.attributes, Conv):
            end, act = number, NO_ACT
            for end, following in chain_after(steps.steps, takers, number):  # noqa: B007  (the last one counts)
                if following.kind is StepKind.ACT:
                    act = _act_name(following)
            squeeze = _squeeze(steps, takers, end)
            if squeeze is not None:
                end = squeeze.steps.stop - 1
                if act == NO_ACT:  # some codebases have it after the product
                    end, act = _act_after(steps, takers, end)
            yield Unit(
                number,
                step.inputs[0],
                end,
                act,
                squeeze,
                op.input_shapes[0][1],
                op.output_shape[1],
                op.attributes,
            )


def _squeeze(steps: Steps, takers: Mapping[int, list[int]], value: int) -> Squeeze | None:
    """Return the squeeze-excite that takes a value: pooling, two layers, gate, product."""
    every = steps.steps
    products = [n for n in takers[value] if is_product(every[n])]
    pools = [n for n in takers[value] if every[n].kind is StepKind.POOL]
    if len(takers[value]) != 2 or not products or not pools:  # noqa: PLR2004  (pooling and product)
        return None
    (product,), (pool,) = products, pools
    inside = every[pool + 1 : product]
    layers = [step for step in inside if step.kind is StepKind.LINEAR]
    kinds = [step.kind for step in inside if step.kind is not StepKind.ACT]
    if len(kinds) != 2 or len(layers) != 2 or sorted(every[product].inputs) != [value, product - 1]:  # noqa: PLR2004  (two layers)
        return None
    first, second = (inside.index(layer) for layer in layers)
    acts = [_act_name(step) for step in inside[first + 1 : second]]
    gates = [_act_name(step) for step in inside[second + 1 :]]
    return Squeeze(
        steps.op_of(layers[0]).output_shape[1],
        acts[0] if acts else NO_ACT,
        gates[0] if gates else NO_ACT,
        range(pool, product + 1),
    )


def _act_after(steps: Steps, takers: dict[int, list[int]], value: int) -> tuple[int, str]:
    """Return the activation that alone takes a value, and its step; none is an activation too."""
    following = next(chain_after(steps.steps, takers, value), None)
    if following is None or following[1].kind is not StepKind.ACT:
        return value, NO_ACT
    return following[0], _act_name(following[1])


def is_product(step: Step) -> bool:
    """Return whether a step multiplies two values."""
    return step.kind is StepKind.OTHER and step.signature[0] == "mul"


def _act_name(step: Step) -> str:
    """Return our name of an activation, "" if it is not one of ours."""
    return _ACT_OF_FUNCTION.get(str(step.signature[0]), "")
