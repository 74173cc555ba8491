"""A search from its first task to its last, or to where it is interrupted."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

from mbv2cli.search.found import Found, Kept, together
from mbv2cli.search.gathering import Gathering
from mbv2cli.search.question import Question


@dataclass(frozen=True, eq=False, slots=True)
class Searched:
    """What was found, and whether the search was let run to its end."""

    found: Found
    complete: bool


def search(
    question: Question,
    results: Generator[Found],
    hand_on: Callable[[Kept], None],
    watch: Callable[[int], None],
) -> Searched:
    """Take the results of all tasks together; Ctrl-C ends it with what was found so far.

    ``hand_on`` gets the members that are kept, in order, and ``watch`` the number of members
    tried in each task.
    """
    found = Gathering(question).found()
    try:
        with closing(results):
            for result in results:
                found = together(question, found, result)
                watch(result.tried)
                if result.kept is not None:
                    hand_on(result.kept)
    except KeyboardInterrupt:
        return Searched(found, complete=False)
    return Searched(found, complete=True)
