"""How the forward pass runs."""

from __future__ import annotations

from pydantic import Field

from mbv2cli.specs.base import Spec
from mbv2cli.specs.fields import Device, DType, Seed


class RunSpec(Spec):
    """Device, element type and random seed of a forward pass. Raises `UserError`."""

    noun = "run"

    device: Device = Field(
        "auto", description="auto (cuda, else mps, else cpu), cpu, cuda, cuda:N, mps or meta."
    )
    dtype: DType = Field("float32", description="Element type of weights and input.")
    seed: Seed = Field(0, description="Random seed of weights and input.")
