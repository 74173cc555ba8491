"""`mbv2 explain`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from mbv2cli.cli.completion import offer_targets
from mbv2cli.cli.flags import with_flags
from mbv2cli.cli.options import Output
from mbv2cli.cli.output import write
from mbv2cli.errors import UserError, nearest
from mbv2cli.explanation import BlockExplanation, block_in, explain_block, explain_network
from mbv2cli.guides import topic_names
from mbv2cli.inspection import plan_of
from mbv2cli.report.explain import BlockReport, NetworkReport, block_page, network_page
from mbv2cli.report.explain_code import block_code
from mbv2cli.report.page import Page
from mbv2cli.specs import BlockSpec, InputSpec, NetworkSpec
from mbv2cli.specs.files import exists
from mbv2cli.specs.reader import Request, Setting, nearest_target, own_name, read_request
from mbv2cli.specs.requests import refuse_module

HELP = """\
Says what each convolution of a block does, with the numbers of this block: why the ends are \
linear, whether there is a shortcut, where the costs go, and what other layers would cost. Of a \
network: the same by stage. Exact, without torch.

  mbv2 explain

  mbv2 explain --in 24 --out 24 --stride 1

  mbv2 explain network:features.3

  mbv2 explain block --compare network:features.3

  mbv2 explain --code

mbv2 explain macs, params, torchsummary, memory, … shows the guide on that subject.
"""

FIRST: Final = (
    *("--in", "--out", "--stride", "--expand", "--kernel"),
    *("--size", "--compare", "--code", "--output"),
)

_SUBJECTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("macs", "flops", "params", "torchsummary", "conventions"), "numbers"),
    **dict.fromkeys(("peak", "flash"), "memory"),
    **dict.fromkeys(("pareto", "sweep"), "search"),
}
"""Words for which a guide has another name."""

_INSIDE: Final = re.compile(r"(?P<target>.+):(?P<path>features?\.\w{1,12})", re.DOTALL)


@with_flags(target_settings=(BlockSpec, NetworkSpec, InputSpec))
def explain(
    target: Annotated[
        str,
        typer.Argument(
            metavar="[TARGET|SUBJECT]",
            help="block, network, a preset or a TOML file; TARGET:features.3 is a block of a "
            "network. Or the subject of a guide, such as macs.",
            autocompletion=offer_targets,
        ),
    ] = "block",
    *,
    target_settings: list[Setting],
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="TARGET",
            help="Show what another block costs, such as network:features.3.",
            rich_help_panel="Output",
        ),
    ] = None,
    code: Annotated[
        bool,
        typer.Option(
            "--code", help="Print the block as PyTorch that runs.", rich_help_panel="Output"
        ),
    ] = False,
    output: Output = None,
) -> None:
    if topic := _topic(target):
        _refuse_beside_guide(target, target_settings, compare, code=code, output=output)
        from mbv2cli.cli.guide import show_guide

        show_guide(topic)
        return
    _refuse_mistyped_subject(target)
    request = _request(target, target_settings)
    if isinstance(request.spec, BlockSpec):
        write(_of_block(request, request.spec, compare, code=code), output)
        return
    if compare or code:
        raise UserError(
            f"{'--compare' if compare else '--code'} is for a block, not for a network; try "
            f"mbv2 explain {target}:features.3"
        )
    plan = plan_of(request.spec, request.input)
    found = explain_network(request.spec, plan.input_shape)
    write(network_page(NetworkReport(request, found)), output)


def _topic(word: str) -> str | None:
    """Return the guide that a word is the subject of; None if it is a target."""
    name = word.lower().replace("_", "-")
    name = _SUBJECTS.get(name, name)
    return name if name in topic_names() else None


def _refuse_mistyped_subject(word: str) -> None:
    """Raise `UserError` for a word that is like the subject of a guide and like no target."""
    if own_name(word) or nearest_target(word) or exists(Path(word)):
        return
    if hint := nearest(word, (*topic_names(), *_SUBJECTS)):
        raise UserError(f"there is no target and no guide '{word}'{hint}")


def _refuse_beside_guide(
    word: str,
    settings: Sequence[Setting],
    compare: str | None,
    *,
    code: bool,
    output: object,
) -> None:
    """Raise `UserError` for a flag that would do nothing beside the subject of a guide."""
    given = [setting.place for setting in settings]
    given += ["--compare"] * (compare is not None) + ["--code"] * code
    given += ["--output"] * (output is not None)
    if given:
        raise UserError(
            f"'{word}' is the subject of a guide, which takes no {given[0]}; leave it out"
        )


def _request(target: str, settings: Sequence[Setting]) -> Request:
    """Return the request of a target, or of a block inside a network. Raises `UserError`."""
    refuse_module(target, "explain tells what a block of a spec does, and a module has no plan")
    found = _INSIDE.fullmatch(target)
    if found is None:
        return read_request(target, settings)
    outer = read_request(found["target"], settings)
    if not isinstance(outer.spec, NetworkSpec):
        raise UserError(f"{target}: a block has no {found['path']}; try network:{found['path']}")
    plan = plan_of(outer.spec, outer.input)
    spec, (batch, _channels, *size) = block_in(outer.spec, plan.input_shape, found["path"])
    input_ = InputSpec.model_validate({"size": tuple(size), "batch": batch})
    return Request(target, spec, input_, outer.origin)


def _of_block(request: Request, spec: BlockSpec, compare: str | None, *, code: bool) -> str | Page:
    found = _explained(request, spec)
    if not code:
        others = [] if compare is None else [(compare, _other(compare))]
        return block_page(BlockReport(request, found, tuple(others)))
    if compare:
        raise UserError("--code prints one block, so --compare does nothing; leave one of them out")
    return block_code(spec, found.input_shape)


def _other(target: str) -> BlockExplanation:
    request = _request(target, ())
    if not isinstance(request.spec, BlockSpec):
        raise UserError(
            f"--compare takes a block, and {target} is a network; try {target}:features.3"
        )
    return _explained(request, request.spec)


def _explained(request: Request, spec: BlockSpec) -> BlockExplanation:
    return explain_block(spec, plan_of(spec, request.input).input_shape)
