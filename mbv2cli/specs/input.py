"""What goes in: the size of the input and of the batch."""

from __future__ import annotations

from pydantic import Field

from mbv2cli.specs.base import Spec
from mbv2cli.specs.fields import Batch, Size


class InputSpec(Spec):
    """Height, width and batch of the input; its channels belong to the block or network.

    ``size`` also takes a single side (224) or text (``"224x320"``). Raises `UserError`.
    """

    noun = "input"

    size: Size = Field((224, 224), description="Input height × width in pixels.")
    batch: Batch = Field(1, description="Inputs in one forward pass.")
