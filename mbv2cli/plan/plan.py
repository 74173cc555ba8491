"""The plan: what a spec costs on an input, in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
