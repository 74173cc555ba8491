"""The members that a search reports: each planned alone, its figures compared with the search's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mbv2cli.errors import DisagreementError
from mbv2cli.inspection import Plan, plan_of
from mbv2cli.search.engine import Engine
from mbv2cli.search.figures import COSTS, WHOLE
from mbv2cli.search.members import Members
from mbv2cli.search.query import REPORTED, Query
from mbv2cli.specs import RunSpec
from mbv2cli.specs.reader import Request, read_request


@dataclass(frozen=True, eq=False, slots=True)
class Winner:
    """A member under its target, with its plan and all reported figures."""

    request: Request
    plan: Plan
    figures: Mapping[str, int]

    @property
    def target(self) -> str:
        """The member as a TARGET of every command."""
        return self.request.target


def winners(query: Query, members: Members) -> list[Winner]:
    """Return members, planned one by one.

    Raises `DisagreementError` where the plan of a member has other figures than the search.
    """
    engine = Engine(query.space, REPORTED, query.counting, members=0)
    found = zip(*(value.tolist() for value in engine.values(members.digits)), strict=True)
    return [_winner(query, member, figures) for member, figures in zip(members, found, strict=True)]


def verify(some: Iterable[Winner]) -> None:
    """Build members and run their forward passes. Loads torch.

    Raises `UserError` where one cannot run here, `DisagreementError` where its numbers are not
    the plan's.
    """
    from mbv2cli.confirm import confirmed_forward, refuse_beyond_memory

    run = RunSpec()
    for one in some:
        refuse_beyond_memory(one.plan, run)
        try:
            confirmed_forward(one.plan, run)
        except DisagreementError as error:
            raise DisagreementError(f"{one.target}: {error}") from None


def _winner(query: Query, member: Sequence[int], found: Sequence[Any]) -> Winner:
    request = read_request(query.space.target(member))
    plan = plan_of(request.spec, request.input)
    every = {**COSTS, **WHOLE}
    figures = {name: plan.figure(every[name], query.counting) for name in query.reported}
    for name, amount in zip(REPORTED, found, strict=True):
        if figures[name] != amount:
            raise DisagreementError(
                f"sweep and plan disagree on {name} of {request.target}: the sweep has {amount}, "
                f"the plan {figures[name]}"
            )
    return Winner(request, plan, figures)
