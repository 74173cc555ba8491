"""What to build: frozen, validated data, and the one reader that makes it."""

from mbv2cli.spec.block import BlockSpec
from mbv2cli.spec.input import InputSpec
from mbv2cli.spec.network import NetworkSpec, Stage
from mbv2cli.spec.run import RunSpec

__all__ = ["BlockSpec", "InputSpec", "NetworkSpec", "RunSpec", "Stage"]
