"""What `mbv2 cliffs` has to tell, as data."""

from __future__ import annotations

from dataclasses import dataclass

from mbv2cli.errors import UserError
from mbv2cli.plan.cliffs import Plateau, plateaus
from mbv2cli.plan.memory import ELEMENT_BYTES, MemoryRule
from mbv2cli.specs import NetworkSpec
from mbv2cli.specs.reader import Request


@dataclass(frozen=True, slots=True)
class CliffsReport:
    """The plateaus of a network's peak as its width multiplier falls."""

    request: Request
    rule: MemoryRule
    dtype: str
    plateaus: tuple[Plateau, ...]

    def bytes_of(self, plateau: Plateau) -> int:
        """Return the peak in bytes of the dtype."""
        return plateau.peak * ELEMENT_BYTES[self.dtype]


def cliffs_of(request: Request, rule: MemoryRule, dtype: str) -> CliffsReport:
    """Return the cliffs of ``request``. Loads no torch.

    Raises `UserError` for a block, which has no width multiplier.
    """
    if not isinstance(request.spec, NetworkSpec):
        raise UserError("a block has no width multiplier; try mbv2 cliffs network, or a preset")
    return CliffsReport(request, rule, dtype, plateaus(request.spec, request.input, rule))
