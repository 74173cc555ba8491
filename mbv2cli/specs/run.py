"""The input of a model, and how its forward pass runs."""

from __future__ import annotations

from pydantic import Field

from mbv2cli.specs.base import Spec
from mbv2cli.specs.fields import Batch, Device, DTypeWord, Seed, Size


class InputSpec(Spec):
    """Height, width and batch of the input. Its channels are a field of the block or network.

    ``size`` also accepts one side (224) or text (``"224x320"``). Raises `UserError`.
    """

    noun = "input"

    size: Size = Field(
        (224, 224), description="Input size in pixels: one side, such as 96, or HEIGHTxWIDTH."
    )
    batch: Batch = Field(1, description="Number of inputs in one forward pass.")


class RunSpec(Spec):
    """Device, element type and random seed of a forward pass. Raises `UserError`."""

    noun = "run"

    device: Device = Field(
        "auto",
        description="Device: cpu, cuda, cuda:N, mps or meta; auto is the first of cuda, mps and "
        "cpu that starts.",
    )
    dtype: DTypeWord = Field("float32", description="Element type of weights and input.")
    seed: Seed = Field(0, description="Random seed of weights and input.")
