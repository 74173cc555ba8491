"""Where the tasks of a search run. Whatever runs them, their results come in order."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from mbv2cli.search.found import Found
from mbv2cli.search.interrupts import interrupts_held
from mbv2cli.search.question import Question
from mbv2cli.search.task import count_tasks, search_task

AHEAD: Final = 2
"""Tasks for each worker that are given out before their results are needed."""


def in_this_process(question: Question) -> Generator[Found]:
    """Yield what each task finds, one after the other."""
    with interrupts_held():
        for number in range(count_tasks(question)):
            yield search_task(question, number)
