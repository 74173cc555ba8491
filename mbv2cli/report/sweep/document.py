"""A search as JSON."""

from __future__ import annotations

from functools import partial
from operator import is_
from typing import Any, Final, Literal

from pydantic import Field, create_model

from mbv2cli.graph.ops import Shape
from mbv2cli.report.document import Document, Part
from mbv2cli.report.sweep.report import SweepReport, condition_text, ordering_text
from mbv2cli.report.text import sentence
from mbv2cli.search.figures import COSTS, WHOLE
from mbv2cli.search.misses import Miss, Misses
from mbv2cli.search.winners import Winner


class ConditionPart(Part):
    """A condition."""

    condition: str = Field(description="The condition as it was given; bytes and counts in full.")
    failed: int = Field(description="Buildable members that do not meet the condition.")


_FIGURES: Final[dict[str, Any]] = {
    figure.name: (int, Field(description=sentence(figure.description))) for figure in COSTS.values()
}
_WHOLE_FIGURES: Final[dict[str, Any]] = {
    figure.name: (
        int | None,
        Field(
            None,
            description=f"{sentence(figure.description)} Only there if it was searched by.",
            exclude_if=partial(is_, None),
        ),
    )
    for figure in WHOLE.values()
}
MemberPart = create_model(
    "MemberPart",
    __base__=Part,
    __doc__="A member and its figures.",
    target=(str, Field(description="The member as a TARGET of every command.")),
    **_FIGURES,
    **_WHOLE_FIGURES,
)


QuantilePart = create_model(
    "QuantilePart",
    __base__=Part,
    __doc__="For each figure, the amount that this percentage of the members does not exceed.",
    percent=(int, Field(description="From 0 (the smallest amount) to 100 (the largest).")),
    **_FIGURES,
)


class StagePart(Part):
    """A stage of a member."""

    name: str = Field(description="`stem`, `s1` and so on, `head` or `classifier`.")
    amount: int = Field(description="What the stage adds to the figure.")
    share: float = Field(description="Share of the figure, from 0 to 1.")


class CulpritPart(Part):
    """The layer that causes a peak."""

    path: str = Field(description="Module path; empty for a block's own function.")
    type: str = Field(description="Class of the module, or function.")
    role: str = Field(description="What the layer is for.")
    input_shape: Shape = Field(description="Shape of its input.")
    output_shape: Shape = Field(description="Shape of its output.")


class ChangePart(Part):
    """A new value of one field that brings the member within the limit."""

    field: str = Field(description="The field, under the name of its flag.")
    before: str = Field(description="The value of the member.")
    after: str = Field(
        description="The nearest value that keeps the limit; of `width_mult`, the nearest multiple "
        "of 0.01; of a field in `left_out`, the nearest of the values that were tried."
    )
    amount: int = Field(description="The figure with the new value.")
    fits: bool = Field(description="Whether the changed member is known to keep every limit.")


class MissPart(Part):
    """A limit, and the member that is nearest to it."""

    condition: str = Field(description="The limit, in full.")
    met: int = Field(description="Buildable members that keep this limit.")
    target: str = Field(description="The buildable member that is nearest to the limit.")
    amount: int = Field(description="The limited figure of this member.")
    parts: tuple[StagePart, ...] = Field(
        description="The stages that add up to the figure, the largest first; empty for a peak."
    )
    culprit: CulpritPart | None = Field(description="The layer that causes the peak.")
    tried: tuple[str, ...] = Field(
        description="Fields that were tried: each was changed alone. Empty where the figure has no "
        "rule for an operation."
    )
    left_out: tuple[str, ...] = Field(
        description="Those of `tried` that have too many values to try each: a nearer value may "
        "keep the limit too."
    )
    changes: tuple[ChangePart, ...] = Field(description="Changes of one field that are enough.")


class MissesPart(Part):
    """Why no member fits."""

    limits: tuple[MissPart, ...] = Field(
        description="For each limit, the nearest member. `parts`, `culprit`, `tried` and `changes` "
        "are filled in where no member keeps the limit."
    )
    exclusive: tuple[tuple[str, str], ...] = Field(
        description="Pairs of conditions: members meet one or the other, and no member meets both."
    )
    nearest: str | None = Field(
        description="The member that breaks its limits by the smallest factor; null if there "
        "is a limit that no member keeps, or if a member keeps all limits but not `--where`."
    )
    factor: float | None = Field(description="Factor by which that member breaks its limits.")


class SweepDocument(Document):
    """What `mbv2 sweep --format json` prints."""

    command: Literal["sweep"] = Field("sweep", description="`sweep`.")
    base: str = Field(description="The target whose fields are varied.")
    kind: str = Field(description="`block` or `network`.")
    size: int = Field(description="Number of members of the space.")
    seed: int | None = Field(description="Seed of the sample; null if every member is tried.")
    convention: str = Field(description="What counts as MACs.")
    rule: str = Field(description="Memory rule of the peak.")
    dtype: str = Field(description="Element type of the peak.")
    complete: bool = Field(description="False if the search was interrupted.")
    tried: int = Field(description="Members tried.")
    buildable: int = Field(description="Tried members that are valid models.")
    feasible: int = Field(description="Buildable members that meet every condition.")
    conditions: tuple[ConditionPart, ...] = Field(description="Every condition.")
    sort: str = Field(description="The figure that sorts `top`; `-`: largest first.")
    top: tuple[MemberPart, ...] = Field(description="The first feasible members in this order.")
    pareto: tuple[str, ...] = Field(
        description="Figures of the front: smaller is better, with `-` larger is better."
    )
    front_size: int = Field(description="Members of the Pareto front.")
    front: tuple[MemberPart, ...] = Field(
        description="The front, sorted by its first figure; at most 1,000 members."
    )
    quantiles: tuple[QuantilePart, ...] = Field(
        description="With `--cdf`, the distribution of the feasible members."
    )
    sample_of_quantiles: int = Field(
        description="Members that the quantiles describe: every feasible one, or 131,072 of them."
    )
    verified: int = Field(description="Members that were built and whose forward pass agreed.")
    misses: MissesPart | None = Field(
        description="Why no member fits; null if one fits, if there is no limit, if no member can "
        "be built, or after an interruption."
    )


def as_json(report: SweepReport) -> str:
    """Return the document, indented."""
    query, result = report.query, report.result
    counts = zip(query.conditions, result.failed, strict=True)
    return SweepDocument(
        base=query.space.base,
        kind=query.space.kind,
        size=query.space.size,
        seed=query.draw.seed,
        convention=query.counting.convention,
        rule=query.counting.rule,
        dtype=query.counting.dtype,
        complete=report.complete,
        tried=result.tried,
        buildable=result.buildable,
        feasible=result.feasible,
        conditions=tuple(
            ConditionPart(condition=condition_text(one), failed=failed) for one, failed in counts
        ),
        sort=report.order_text,
        top=tuple(map(_member, report.top)),
        pareto=tuple(map(ordering_text, query.front)),
        front_size=report.front_size,
        front=tuple(map(_member, report.front)),
        quantiles=tuple(
            QuantilePart(percent=one.percent, **one.figures) for one in report.quantiles
        ),
        sample_of_quantiles=report.sample_of_quantiles if report.quantiles else 0,
        verified=report.verified,
        misses=report.misses and _misses(report.misses),
    ).text


def _misses(misses: Misses) -> MissesPart:
    return MissesPart(
        limits=tuple(map(_miss, misses.limits)),
        exclusive=tuple(
            (condition_text(one), condition_text(other)) for one, other in misses.exclusive
        ),
        nearest=misses.nearest and misses.nearest.target,
        factor=misses.factor if misses.nearest else None,
    )


def _miss(miss: Miss) -> MissPart:
    return MissPart(
        condition=condition_text(miss.bound),
        met=miss.met,
        target=miss.member.target,
        amount=miss.amount,
        parts=tuple(map(StagePart.model_validate, miss.parts)),
        culprit=miss.culprit and CulpritPart.model_validate(miss.culprit),
        tried=miss.tried,
        left_out=miss.left_out,
        changes=tuple(map(ChangePart.model_validate, miss.changes)),
    )


def _member(winner: Winner) -> Part:
    return MemberPart(target=winner.target, **winner.figures)
