"""From the name of a module of the user's own to the module: imports and runs the user's code."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import random
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import cache
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any, Final

import torch
from torch import Tensor, nn

from mbv2cli.errors import UserError, nearest, text_of
from mbv2cli.nn.process_kept import OsExit, names_kept, process_kept
from mbv2cli.nn.settings import settings_kept
from mbv2cli.specs.files import inputs
from mbv2cli.specs.module import ModuleSource, TensorSpec
from mbv2cli.specs.run import RunSpec

_PACKAGES: Final = frozenset({"site-packages", "dist-packages"})
"""Folders of installed packages, which may be in an environment below the folder of a module."""

_SHOWN: Final = 8
"""How many names a message lists."""


@contextmanager
def users_code(source: ModuleSource, seed: int) -> Iterator[None]:
    """Run the user's code inside the block as if nobody ran it.

    The folder of the file (for a package: the working directory) is on the path. What the code
    prints goes to standard error. What `process_kept` and `names_kept` name, random states,
    settings of PyTorch, and what is imported from that folder, are afterwards as they were. Raises
    `UserError` if the code ends the process or leaves a thread that keeps Python from ending.
    """
    above = Path(source.origin).parent if source.is_file else source.folder or Path()
    folder = str(above.resolve())
    threads = set(threading.enumerate())
    replaced: list[str] = []
    try:
        with ExitStack() as kept:
            kept.enter_context(process_kept())
            kept.enter_context(_imports_forgotten(folder))
            replaced = kept.enter_context(names_kept())
            kept.enter_context(settings_kept())
            kept.enter_context(random_states_kept(seed))
            kept.enter_context(_printed_to_stderr())
            sys.path.insert(0, folder)
            yield
    except SystemExit as error:
        call = "os._exit" if isinstance(error, OsExit) else "SystemExit"
        raise UserError(f"{source.target} ends the process: {call}({error.code!r})") from None
    except BaseException as error:
        if isinstance(error, UserError | KeyboardInterrupt):
            raise
        is_own = isinstance(error, Exception) and _is_own(error)
        if is_own and replaced:
            raise UserError(
                f"{source.target} replaces {replaced[0]}, and then mbv2 cannot run it: "
                f"{sentence_of(error)}"
            ) from None
        if is_own:
            raise
        raise UserError(f"{source.target} fails: {sentence_of(error)}") from None
    finally:
        left = [one for one in threading.enumerate() if one not in threads]
        threads_left().extend(left)
    lasting = [one for one in left if not one.daemon]
    if lasting:
        raise UserError(
            f"{source.target} leaves a thread that runs: {lasting[0].name}; end it, because it "
            "keeps Python from ending"
        )


def _is_own(error: Exception) -> bool:
    """Return whether the code of mbv2 itself has raised an error, not what it has called."""
    *_, (frame, _line) = walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).startswith("mbv2cli.")


@cache
def threads_left() -> list[threading.Thread]:
    """Return the threads that the user's code has left so far, those among them that have ended."""
    return []


@contextmanager
def _imports_forgotten(folder: str) -> Iterator[None]:
    """Forget the Python files of ``folder`` that the block imports; remember what it forgets.

    No output may replace one of these files.
    The next module may have a neighbour of the same name in another folder, and must not see what
    this one has changed in its own. Installed packages and compiled modules stay: they cannot be
    imported twice.
    """
    before = dict(sys.modules)
    try:
        yield
    finally:
        for name, module in list(sys.modules.items()):
            if before.get(name) is not module and _is_source_in(folder, module):
                del sys.modules[name]
                if module.__file__:
                    inputs()[Path(module.__file__)] = None
        sys.modules.update(before)


def _is_source_in(folder: str, module: object) -> bool:
    file = getattr(module, "__file__", None)
    folders = list(getattr(module, "__path__", ()))[:1]  # of a package without __init__.py
    if not (isinstance(file, str) and file.endswith(".py")) and (file or not folders):
        return False
    real = Path(os.path.realpath(file or folders[0]))
    above = Path(os.path.realpath(folder))
    return real.is_relative_to(above) and _PACKAGES.isdisjoint(real.relative_to(above).parts)


@contextmanager
def random_states_kept(seed: int) -> Iterator[None]:
    """Seed Python's and PyTorch's random numbers; they are afterwards as they were."""
    numpy = sys.modules.get("numpy")
    of_python = random.getstate()
    of_numpy = numpy.random.get_state() if numpy else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(of_python)
            if numpy:
                numpy.random.set_state(of_numpy)


@contextmanager
def _printed_to_stderr() -> Iterator[None]:
    """Send what Python and its libraries print to standard error: standard output is ours."""
    with redirect_stdout(sys.stderr):
        if sys.__stdout__ is None:
            yield
            return
        sys.__stdout__.flush()
        kept = os.dup(1)
        try:
            os.dup2(2, 1)
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def load_module(source: ModuleSource) -> nn.Module:
    """Return the module that ``source`` names. Call it inside `users_code`.

    A class or a function is called with the arguments; an instance is taken as it is. Raises
    `UserError` if there is no such module or if the code fails.
    """
    found = _attribute(source, _imported(source))
    if isinstance(found, nn.Module):
        if source.arguments:
            raise UserError(
                f"{source.target}: {source.attribute} is a module already, so it takes no "
                f"arguments; write {source.name}"
            )
        return found
    if not callable(found):
        raise UserError(
            f"{source.target}: {source.attribute} is a {type(found).__name__}; a TARGET names a "
            "class or an instance of torch.nn.Module, or a function that returns one"
        )
    made = _called(source, found)
    if not isinstance(made, nn.Module):
        raise UserError(
            f"{source.target} returns a {type(made).__name__}, not a torch.nn.Module; name a "
            "class or a function that makes a module"
        )
    return made


def inputs_of(specs: Sequence[TensorSpec], run: RunSpec, device: torch.device) -> list[Tensor]:
    """Return an input for each spec: random numbers, or zeros where numbers are indices."""
    return [_input(spec, run, device) for spec in specs]


def _input(spec: TensorSpec, run: RunSpec, device: torch.device) -> Tensor:
    dtype: torch.dtype = getattr(torch, spec.dtype or run.dtype)
    if not dtype.is_floating_point:
        return torch.zeros(spec.shape, dtype=dtype, device=device)
    drawn_on = device if device.type == "meta" else torch.device("cpu")
    return torch.rand(spec.shape, device=drawn_on).to(device, dtype)


def _imported(source: ModuleSource) -> ModuleType:
    if source.is_file and not Path(source.origin).is_file():
        raise UserError(f"{source.target}: there is no file {source.origin}")
    try:
        return _file(source) if source.is_file else importlib.import_module(source.origin)
    except ModuleNotFoundError as error:
        if error.name and source.origin.startswith(error.name):
            raise UserError(
                f"{source.target}: there is no Python package '{error.name}' here; give a file "
                "such as my_model.py:Net, or install the package beside mbv2"
            ) from None
        raise _failed(source, "cannot be imported", error) from None
    except Exception as error:  # noqa: BLE001  (the user's code may raise anything)
        raise _failed(source, "cannot be imported", error) from None


def _file(source: ModuleSource) -> ModuleType:
    path = Path(source.origin)
    inputs()[path] = None  # no output may replace it
    name = path.stem if path.stem not in sys.modules else f"mbv2_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{source.target}: {source.origin} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as an import does: dataclasses and pickle look there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _attribute(source: ModuleSource, module: ModuleType) -> Any:
    found: Any = module
    for name in source.attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            names = _offered(module)
            raise UserError(
                f"{source.target}: {source.file} has no '{source.attribute}' (it has "
                f"{_some(names)}){nearest(source.attribute, names)}"
            ) from None
    return found


def _offered(module: ModuleType) -> list[str]:
    """Return the names in a Python module that could be meant: what is defined there comes first.

    These are classes and instances of torch.nn.Module, and functions.
    """
    names = [
        (getattr(value, "__module__", "") != module.__name__, name)
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (
            isinstance(value, nn.Module)
            or inspect.isfunction(value)
            or (inspect.isclass(value) and issubclass(value, nn.Module))
        )
    ]
    return [name for _is_foreign, name in sorted(names, key=lambda one: one[0])]


def _some(names: Sequence[str]) -> str:
    if not names:
        return "no module and no function"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _called(source: ModuleSource, function: Any) -> Any:
    _refuse_arguments(source, function)
    try:
        return function(**source.arguments)
    except Exception as error:  # noqa: BLE001  (the user's code may raise anything)
        raise _failed(source, "cannot be built", error) from None


def _refuse_arguments(source: ModuleSource, function: Any) -> None:
    """Raise `UserError` if a function does not take the arguments; it is not called."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(**source.arguments)
    except TypeError as error:
        takes = _some(list(signature.parameters)) if signature.parameters else "no argument"
        raise UserError(
            f"{source.target}: {error} ({source.attribute} takes {takes}); write "
            f"{source.name}:{_example(signature.parameters)}"
        ) from None


def _example(parameters: Mapping[str, inspect.Parameter]) -> str:
    needed = [
        name
        for name, one in parameters.items()
        if one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    ]
    names = needed or list(parameters)[:1]
    return ",".join(f"{name}=…" for name in names)


def _failed(source: ModuleSource, what: str, error: Exception) -> UserError:
    return UserError(f"{source.target} {what}: {sentence_of(error)}")


def sentence_of(error: BaseException) -> str:
    """Return the type of an error and the first line of its text."""
    text = text_of(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
