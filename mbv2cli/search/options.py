"""How a search is run, as users set it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from mbv2cli.specs.base import Spec
from mbv2cli.specs.fields import Allowed, Number, Seed
from mbv2cli.specs.units import read_count

MAX_SAMPLE = 10**10
MAX_LISTED = 1_000
MAX_JOBS = 256

_Sample = Annotated[
    int | None,
    BeforeValidator(read_count),
    Number,
    Field(ge=1, le=MAX_SAMPLE),
    Allowed("a count from 1 to 10G, such as 500, 10k or 1M"),
]
_Listed = Annotated[
    int,
    Number,
    Field(ge=0, le=MAX_LISTED),
    Allowed(f"a whole number from 0 to {MAX_LISTED}"),
]
_Jobs = Annotated[
    int, Number, Field(ge=1, le=MAX_JOBS), Allowed(f"a whole number from 1 to {MAX_JOBS}")
]


class SearchOptions(Spec):
    """How much of a space is looked at, by how many processes. Raises `UserError`."""

    noun = "search"

    sample: _Sample = Field(
        None, description="Draw so many members, uniformly, such as 1M; else go through all."
    )
    seed: Seed = Field(0, description="Random seed of the sample.")
    top: _Listed = Field(10, description="Members listed by --sort.")
    verify: _Listed = Field(
        0,
        description="Build so many random members of the result, and those listed, and run their "
        "forward passes: all must agree.",
    )
    jobs: _Jobs = Field(1, description="Processes.")
