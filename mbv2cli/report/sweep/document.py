"""A search as JSON."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, create_model

from mbv2cli.report.document import Document, Part
from mbv2cli.report.sweep.report import SweepReport, condition_text, ordering_text
from mbv2cli.report.text import sentence
from mbv2cli.search.figures import COSTS
from mbv2cli.search.winners import Winner


class ConditionPart(Part):
    """A condition."""

    condition: str = Field(description="The condition as it was given; bytes and counts in full.")
    failed: int = Field(description="Buildable members that do not meet the condition.")


_FIGURES: Final[dict[str, Any]] = {
    figure.name: (int, Field(description=sentence(figure.description))) for figure in COSTS.values()
}
MemberPart = create_model(
    "MemberPart",
    __base__=Part,
    __doc__="A member and its figures.",
    target=(str, Field(description="The member as a TARGET of every command.")),
    **_FIGURES,
)


class QuantilePart(Part):
    """For each figure, the amount that this percentage of the members does not exceed."""

    percent: int = Field(description="From 0 (the smallest amount) to 100 (the largest).")
    macs: int = Field(description="MACs.")
    params: int = Field(description="Parameters.")
    peak: int = Field(description="Peak in bytes.")
    flash: int = Field(description="Flash in bytes.")


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
        quantiles=tuple(map(QuantilePart.model_validate, report.quantiles)),
        sample_of_quantiles=report.sample_of_quantiles if report.quantiles else 0,
        verified=report.verified,
    ).text


def _member(winner: Winner) -> Part:
    return MemberPart(target=winner.target, **winner.figures)
