"""What to build, as frozen and validated data, and the reader that makes it from user input."""

from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec, Stage
from mbv2cli.specs.run import InputSpec, RunSpec

__all__ = ["BlockSpec", "InputSpec", "NetworkSpec", "RunSpec", "Stage"]
