"""A module of the user's own in a command: its run, and what is shown meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext

from mbv2cli.cli.imports import start_torch
from mbv2cli.cli.progress import progress
from mbv2cli.errors import UnusableError
from mbv2cli.inspection import Model, Observed, plan_of
from mbv2cli.specs.reader import Request, Setting, read_spec
from mbv2cli.specs.requests import AnyRequest
from mbv2cli.specs.run import RunSpec


def model_of(request: AnyRequest, run_settings: Iterable[Setting] = ()) -> Model:
    """Return the plan of a spec, or what one forward pass shows of a module.

    Loads torch for a module alone. Raises `UserError` if the module does not run.
    """
    if isinstance(request, Request):
        return plan_of(request.spec, request.input)
    settings = list(run_settings)
    run = read_spec(RunSpec, settings)
    with running(request.target, settings):
        from mbv2cli.nn.own import run_module

        ran = run_module(request, run)
        return Observed(ran.graph, ran.doubt)


@contextmanager
def running(target: str, run_settings: Iterable[Setting], *, quiet: bool = False) -> Iterator[None]:
    """Load torch for the block, and show meanwhile that ``target`` runs.

    Raises `UserError` with the flag of a value that this machine cannot use.
    """
    places: Mapping[str, str] = {setting.key: setting.place for setting in run_settings}
    with nullcontext() if quiet else progress(f"Running {target}"):
        start_torch()
        try:
            yield
        except UnusableError as error:
            raise error.written_at(places) from None
