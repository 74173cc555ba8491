"""Targets, shapes and names as text."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from mbv2cli.errors import value_text
from mbv2cli.graph.ops import Shape
from mbv2cli.graph.rows import BLOCK_TYPE, CONV_TYPE, FUSED_TYPE, NETWORK_TYPE
from mbv2cli.shown import shown
from mbv2cli.specs import BlockSpec, NetworkSpec
from mbv2cli.specs.base import keys
from mbv2cli.specs.fields import written
from mbv2cli.specs.network import PAPER_STAGES
from mbv2cli.specs.origin import How, Origin
from mbv2cli.specs.reader import Request

if TYPE_CHECKING:
    from mbv2cli.costs.conventions import Count
    from mbv2cli.report.page import Line
    from mbv2cli.specs.module import ModuleRequest

INDENT: Final = "    "
"""The start of each line that a sentence is wrapped to."""

NOT_COUNTED: Final = (
    "not counted are stack, heap, buffers and code of the program, TFLM's persistent data, and "
    "scratch memory of optimised kernels."
)
"""What a board needs memory for beside a model."""

_MARKUP: Final = r"[\\`*\[\]<&|~$]|(?<!\w)_|_(?!\w)|:(?=//)|(?<=www)\.|@(?=\w)"
"""What Markdown, or GitHub, does not read as text. A backslash before it makes it text.

An underline inside a word, such as ``width_mult``, is text.
"""

_CLASSES: Final = {"inverted": BLOCK_TYPE, "fused": FUSED_TYPE, "conv": "ConvBNAct"}
"""The module of a block by its type."""

_LEFT_OUT_IF_DEFAULT: Final = {"dilation", "depth_mult", "stem_scaling", "head_scaling"}


def sentence(text: str) -> str:
    """Return a description as a sentence."""
    keeps = text.startswith("int8")
    return f"{text if keeps else text[0].upper() + text[1:]}."


def described(request: Request | ModuleRequest) -> str:
    """Return ``InvertedResidual(in=3, out=64, …)`` or ``MobileNetV2(width_mult=1.0, …)``.

    A module of the user's own is ``my_model.py:Net``, with its arguments in brackets.
    """
    if not isinstance(request, Request):
        source = request.source
        arguments = ", ".join(
            f"{key}={value_text(value, sys.maxsize)}" for key, value in source.arguments.items()
        )
        return f"{source.name}({arguments})"
    return f"{class_name(request.spec)}({', '.join(_arguments(request.spec))})"


def class_name(spec: BlockSpec | NetworkSpec) -> str:
    """Return the name of the module that a spec means."""
    if isinstance(spec, NetworkSpec):
        return NETWORK_TYPE
    is_residual = spec.has_shortcut or spec.projects_shortcut
    return CONV_TYPE if spec.type == "conv" and is_residual else _CLASSES[spec.type]


def heading(request: Request | ModuleRequest) -> Iterator[Line]:
    """Yield the first lines of a page: the same, and where the spec of a file comes from."""
    from mbv2cli.report.page import BOLD, Line

    yield Line(described(request), BOLD, INDENT)
    if isinstance(request, Request) and request.origin:
        yield Line(origin_text(request.origin), "", INDENT)


def origin_text(origin: Origin) -> str:
    """Return where a spec comes from, what is assumed or contradicted, and why: one sentence."""
    told = [
        f"; {how.text}: {text}"
        for how in (How.ASSUMED, How.LEFT_OUT, How.CONTRADICTED)
        if (text := origin.text_of(how))
    ]
    return f"Read from {origin.file}: {origin.what}{''.join(told)}."


def total_text(count: Count) -> str:
    """Return a count as text; "at least" if the convention has no rule for some functions."""
    least = "at least " if count.unknown else ""
    return f"{least}{count.total:,}"


def compact(shape: Shape) -> str:
    """Return a shape as ``1x64x224x224``, for scripts."""
    return "x".join(map(str, shape))


def stride_text(stride: int | tuple[int, int]) -> str:
    """Return a stride as people write it: ``2``, or ``2x1`` for height and width."""
    return compact(stride) if isinstance(stride, tuple) else str(stride)


def bracketed(shape: Shape) -> str:
    """Return a shape as ``[1, 64, 224, 224]``, the way torchsummary writes it."""
    return str(list(shape))


def code(text: str) -> str:
    """Return ``text`` as code in a cell of a Markdown table: a bar would start another cell."""
    text = shown(text).replace("|", r"\|")
    if not text:
        return text
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    # Markdown removes a space at both ends, unless nothing else is there
    needs_space = text.strip() and (text[0] in "` " or text[-1] in "` ")
    return f"{fence} {text} {fence}" if needs_space else f"{fence}{text}{fence}"


def prose(text: str) -> str:
    """Return ``text`` for a cell or a paragraph of Markdown, with no mark-up of its own."""
    return re.sub(_MARKUP, lambda sign: f"\\{sign[0]}", shown(text))


def _arguments(spec: BlockSpec | NetworkSpec) -> Iterator[str]:
    values = spec.model_dump(by_alias=True, exclude={"stages"}, exclude_none=True)
    for key in _LEFT_OUT_IF_DEFAULT & values.keys():
        if values[key] == keys(type(spec))[key].default:
            del values[key]
    if isinstance(spec, BlockSpec) and (spec.hidden is not None or spec.type == "conv"):
        del values["expand"]
    if isinstance(spec, NetworkSpec) and spec.stages != PAPER_STAGES:
        number = len(spec.stages)
        yield f"{number} stage{'s' * (number != 1)} of its own"
    for key in keys(type(spec)):
        if key in values:
            yield f"{key}={written(values[key])}"
