"""How many bytes a forward pass holds at its worst moment."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Final

from mbv2cli.plan.layers import Layer
