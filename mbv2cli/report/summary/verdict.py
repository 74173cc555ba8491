"""What the forward pass proves, in a sentence: the plan, which network a module is, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbv2cli.report.page import GOOD, WARNING, Line
from mbv2cli.report.summary.report import SummaryReport
from mbv2cli.report.text import INDENT, bracketed
from mbv2cli.specs.reader import Request

if TYPE_CHECKING:
    from mbv2cli.identify.identity import Identity
    from mbv2cli.nn.forward import ForwardRun
    from mbv2cli.nn.own import ModuleRun


def verdict(report: SummaryReport) -> Line:
    """Return the last line of the table."""
    forward, identity = report.forward, report.identity
    if forward is None:
        text = "No forward pass was run (--no-forward). The numbers are those of the plan."
        return Line(text, WARNING, INDENT)
    where = _where(forward)
    if report.agrees:
        shape = bracketed(report.model.output_shape)
        text = f"Plan and forward pass{_of_file(report)} agree on every layer: {shape}, {where}."
        return Line(text, GOOD, INDENT)
    if identity and identity.is_proved:
        agreement = f"Plan and forward pass agree: the same {identity.compared} operations, {where}"
        text = f"It is {_name(identity)}. {agreement}{_left_out(identity)}.{_nearest(identity)}"
        return Line(text, WARNING if identity.nearest else GOOD, INDENT)
    observed = f"Observed only: one forward pass, {where}."
    if identity and identity.nearest:
        return Line(f"{observed}{_nearest(identity)}", WARNING, INDENT)
    return Line(f"{observed} There is no plan to compare with.", WARNING, INDENT)


def short_verdict(report: SummaryReport) -> str:
    """Return the same as a cell of a table."""
    forward, identity = report.forward, report.identity
    if forward is None:
        return "not run"
    where = _where(forward)
    if report.agrees:
        return f"agrees ({where})"
    near = f"; nearest preset: {_near(identity)}" if identity and identity.nearest else ""
    if identity and identity.is_proved:
        return f"agrees with the plan of {_name(identity)} ({where}){_left_out(identity)}{near}"
    return f"observed only ({where}){near}"


def _where(forward: ForwardRun | ModuleRun) -> str:
    """Return where a forward pass ran, in which element types, and that no compiler helped."""
    eager = ", without torch.compile" if getattr(forward, "was_compiled", False) else ""
    return f"{forward.device}, {' and '.join((forward.dtype, *other_dtypes(forward)))}{eager}"


def other_dtypes(forward: ForwardRun | ModuleRun | None) -> tuple[str, ...]:
    """Return the element types of results that are not of the forward pass's own."""
    return getattr(forward, "other_dtypes", ())


def _of_file(report: SummaryReport) -> str:
    """Return whose forward pass it was, where a file gives the spec but no weights."""
    request = report.request
    from_file = isinstance(request, Request) and request.origin is not None
    return " of this spec, with random weights," if from_file else ""


def _name(identity: Identity) -> str:
    return identity.names[0] if identity.names else "a MobileNetV2 of its own"


def _nearest(identity: Identity) -> str:
    """Return a sentence on the preset that is nearest, after a space; "" if none is near."""
    if not identity.nearest:
        return ""
    return f" Nearest preset: {_near(identity)} (mbv2 identify says where)."


def _near(identity: Identity) -> str:
    count = len(identity.distance)
    return f"{identity.nearest}; {count} place{'s' * (count != 1)} differ{'s' * (count == 1)}"


def _left_out(identity: Identity) -> str:
    return f"; not compared: {', '.join(identity.remarks)}" if identity.remarks else ""
