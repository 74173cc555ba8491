"""A model as it is without PyTorch's compiler, whose code no observer sees."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def uncompiled(model: nn.Module) -> Iterator[nn.Module]:
    """Give the model that ``model`` was compiled from: nothing compiles or is compiled meanwhile.

    Modules inside that are compiled stand for what they were compiled from, and are afterwards as
    they were. A function that was compiled, of which no module tells, runs uncompiled from PyTorch
    2.6 on. The compiler is not imported, which takes seconds.
    """
    with ExitStack() as kept:
        if "torch._dynamo.eval_frame" in sys.modules:
            if hasattr(torch.compiler, "set_stance"):
                kept.enter_context(torch.compiler.set_stance("force_eager"))
            for module in list(model.modules()):
                _uncompile_inside(module, kept)
        yield _original(model)


def is_compiled(model: nn.Module) -> bool:
    """Return whether `torch.compile` has made the model or a module in it."""
    return any(
        _original(one) is not one or one._compiled_call_impl is not None for one in model.modules()
    )


def _uncompile_inside(module: nn.Module, kept: ExitStack) -> None:
    """Put what was compiled in the place of what is, until ``kept`` ends."""
    if module._compiled_call_impl is not None:
        kept.callback(setattr, module, "_compiled_call_impl", module._compiled_call_impl)
        module._compiled_call_impl = None
    children = module._modules
    for name, child in children.items():
        if child is not None and _original(child) is not child:
            kept.callback(children.__setitem__, name, child)
            children[name] = _original(child)


def _original(module: nn.Module) -> nn.Module:
    """Return the module that a module was compiled from; itself if it was not."""
    compiler: Any = sys.modules.get("torch._dynamo.eval_frame")
    if compiler is None or not isinstance(module, compiler.OptimizedModule):
        return module
    original: nn.Module = module._modules["_orig_mod"]
    return _original(original)
