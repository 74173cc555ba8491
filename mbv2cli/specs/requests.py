"""What any TARGET asks for: a block or a network, or a module of the user's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from mbv2cli.errors import UserError
from mbv2cli.specs.reader import Request, Setting, read_request

if TYPE_CHECKING:
    from mbv2cli.specs.module import ModuleRequest, ModuleSource

AnyRequest: TypeAlias = "Request | ModuleRequest"


def read_any_request(
    target: str, flags: Iterable[Setting] = (), inputs: Sequence[str] = ()
) -> AnyRequest:
    """Read a target, its flags, and the values of ``--input``, which only a module has.

    Runs nothing. Raises `UserError`.
    """
    source = module_named(target)
    if source is not None:
        from mbv2cli.specs.module import module_request

        return module_request(source, flags, inputs)
    if inputs:
        raise UserError("--input belongs to a module of your own; use --in, --size and --batch")
    return read_request(target, flags)


def module_named(target: str) -> ModuleSource | None:
    """Return the module that a target names; None for any other target. Raises `UserError`."""
    if ":" not in target:  # at once, for the targets that people type
        return None
    from mbv2cli.specs.module import module_source

    return module_source(target)


def refuse_module(
    target: str, why: str, remedy: str = "give a block, a network or a preset"
) -> None:
    """Raise `UserError` if a target names a module: why a command takes none, and what to do."""
    if module_named(target) is not None:
        raise UserError(f"{target} is a module of your own: {why}; {remedy}")


def refuse_without_forward(
    request: AnyRequest, *, forward: bool, place: str = "--no-forward"
) -> None:
    """Raise `UserError` for a module if no forward pass is allowed: only a run shows its layers.

    ``place`` is what forbids it.
    """
    if not (forward or isinstance(request, Request)):
        raise UserError(
            f"{request.target} is Python code: only a forward pass shows its layers; leave out "
            f"{place}"
        )


def doubt_of(request: AnyRequest) -> str:
    """Return why the figures of a file are not those of its spec: the end of a sentence, or ""."""
    origin = request.origin if isinstance(request, Request) else None
    return origin.doubt if origin else ""
