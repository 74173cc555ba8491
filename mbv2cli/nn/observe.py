"""From one forward pass of any module to its observed graph, operation by operation."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from torch import ScriptObject, Tensor, dtype, nn
from torch._C import DisableTorchFunction
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from mbv2cli.graph.graph import Graph, Scope
from mbv2cli.graph.ops import Kind, Op, Plain, Shape
from mbv2cli.nn.functions import (
    COMPOSITES,
    QUESTIONS,
    Call,
    Meaning,
    constant_of,
    is_identity,
    meaning_of,
    read_call,
    tensors_in,
)
from mbv2cli.nn.storages import Storages, Temporaries, storage_of


class Observer:
    """Notes every operation that a module runs, the values that go in, and the module calls.

    Use ``with observer.watching(): model(dummy)``, then `graph`. A value is a tensor and its
    version: an operation in place yields a new value.
    """

    def __init__(self, model: nn.Module, inputs: Sequence[Tensor]) -> None:
        self._model = model
        self._names = _names_of(model)
        self._input_shapes = tuple(tuple(one.shape) for one in inputs)
        self._values = _Values()
        self._storages = Storages(model, _element_bytes(model, inputs))
        self._ops: list[Op] = []
        self._scopes: list[Scope] = []
        self._open: list[_OpenCall] = []
        self._pending: dict[int, _Operation] = {}
        self._used: set[int] = set()
        self._outputs: tuple[int, ...] = ()
        self._returns = ""
        self.dtypes: dict[dtype, None] = {}
        """The element types of the results so far that are floating-point numbers."""
        for number, tensor in enumerate(inputs):
            self._values.set(tensor, _version_of(tensor), number)
            self._storages.note(tensor, -1)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note what runs inside the block; hooks are removed at its end."""
        hooks = []
        for path, module in self._model.named_modules():
            hooks += [
                module.register_forward_pre_hook(self._begin_of(path), with_kwargs=True),
                module.register_forward_hook(self._end_of(path)),
            ]
        try:
            with _Mode(self):
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def graph(self) -> Graph:
        """Return what was observed."""
        return Graph(
            self._input_shapes,
            tuple(self._ops),
            tuple(self._scopes),
            self._outputs,
            returns=self._returns,
            unused=tuple(name for key, name in self._names.items() if key not in self._used),
            measured=self._storages.lifetimes(len(self._ops) - 1),
        )

    @property
    def place(self) -> str:
        """The type and path of the module that runs, or that raised."""
        call = self._open[-1] if self._open else None
        return f"{call.type} {call.path}".rstrip() if call else type(self._model).__name__

    def run(self, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run a torch function and note the operation; return its result."""
        call = read_call(function, args, kwargs)
        if call.name in QUESTIONS:
            return function(*args, **kwargs)
        if call.name in COMPOSITES:
            with _inside_composite(self):
                return function(*args, **kwargs)
        given = [_given(one) for one in (*tensors_in(args), *tensors_in(kwargs))]
        before = len(self._ops)
        self._storages.let_go(before - 1)
        temporaries = Temporaries()
        with temporaries if self._takes_a_value(given) else nullcontext():
            result = function(*args, **kwargs)
        # an assignment to a part of a tensor returns nothing and changes its first argument
        changed = tensors_in(args)[:1] if result is None and call.inplace else tensors_in(result)
        for tensor in changed:
            self._note(call, given, tensor)
        if len(self._ops) > before:
            self._storages.note_temporary(temporaries.extra_bytes, len(self._ops) - 1)
        return result

    def _takes_a_value(self, given: Sequence[_Given]) -> bool:
        """Return whether any tensor is neither the model's own nor a constant, and has memory."""
        return any(
            not one.tensor.is_meta
            and id(one.tensor) not in self._names
            and self._values.get(one.tensor, one.version) is not None
            for one in given
        )

    def _note(self, call: Call, given: Sequence[_Given], result: Tensor) -> None:
        storage = storage_of(result)
        is_view = any(storage is storage_of(one.tensor) is not None for one in given)
        others = [one for one in given if id(one.tensor) not in self._names]
        operation = _Operation(
            meaning_of(call, result, self._names, is_view=is_view) if given else constant_of(call),
            self._path,
            own=tuple(one.tensor for one in given if id(one.tensor) in self._names),
            inputs=tuple(self._source_of(one) for one in others),
            input_shapes=tuple(one.shape for one in others),
            output_shape=tuple(result.shape),
            result=weakref.ref(result),
            version=_version_of(result),
            made_at=len(self._ops),
        )
        if any(map(_is_packed, (*call.args, *call.kwargs.values()))):
            operation.meaning = _with_packed_weights(operation.meaning)
        if any(isinstance(one, int) for one in operation.inputs):
            self._pending.pop(id(result), None)
            self._add(operation)
        else:
            # made of parameters and constants alone: it counts once an operation needs it
            self._pending[id(result)] = operation

    def _add(self, one: _Operation) -> int:
        """Add an operation to the graph; return the number of its value."""
        inputs = tuple(self._value_of(source) for source in one.inputs)
        own = [tensor for tensor in one.own if id(tensor) not in self._used]
        self._used.update(map(id, own))
        op = Op(
            one.meaning.kind,
            one.meaning.function,
            one.meaning.attributes,
            inputs,
            one.input_shapes,
            one.output_shape,
            one.path,
            macs=one.meaning.macs,
        )
        self._ops.append(_with_elements(op, own))
        one.value = len(self._input_shapes) + len(self._ops) - 1
        result = one.result()
        if result is not None:
            self._values.set(result, one.version, one.value)
            self._storages.note(result, one.made_at)
            if result.is_floating_point():
                self.dtypes[result.dtype] = None
        return one.value

    def _value_of(self, source: _Source) -> int:
        """Return the number of a value; an operation that waits is needed from now on."""
        if isinstance(source, int):
            return source
        return self._add(source) if source.value is None else source.value

    def _source_of(self, given: _Given) -> _Source:
        """Return a value or the operation that makes it; what nobody made is a constant."""
        known = self._known_source_of(given)
        if known is not None:
            return known
        constant = self._without_function(_CONSTANT, given)
        self._pending[id(given.tensor)] = constant
        return constant

    def _known_source_of(self, given: _Given) -> _Source | None:
        pending = self._pending.get(id(given.tensor))
        if pending is not None and pending.result() is given.tensor:
            return pending if pending.value is None else pending.value
        return self._values.get(given.tensor, given.version)

    def _without_function(
        self,
        meaning: Meaning,
        result: _Given,
        own: Sequence[Tensor] = (),
        inputs: tuple[int, ...] = (),
    ) -> _Operation:
        """Return an operation for a tensor that no function has returned."""
        return _Operation(
            meaning,
            self._path,
            own=tuple(own),
            inputs=inputs,
            input_shapes=tuple(self._shape_of(value) for value in inputs),
            output_shape=result.shape,
            result=weakref.ref(result.tensor),
            version=result.version,
            made_at=len(self._ops),
        )

    def _shape_of(self, value: int) -> Shape:
        inputs = len(self._input_shapes)
        if value < inputs:
            return self._input_shapes[value]
        return self._ops[value - inputs].output_shape

    @property
    def _path(self) -> str:
        return self._open[-1].path if self._open else ""

    def _begin_of(self, path: str) -> Any:
        @_unwatched
        def begin(module: nn.Module, args: Any, kwargs: Any) -> None:
            given = self._others_in((args, kwargs))
            sources = map(self._known_source_of, given)
            inputs = tuple(one for one in sources if isinstance(one, int))
            self._open.append(
                _OpenCall(path, type(module).__name__, inputs, len(self._ops), len(self._scopes))
            )

        return begin

    def _others_in(self, value: object) -> list[_Given]:
        """Return the tensors in a value that are no parameters or buffers."""
        return [_given(one) for one in tensors_in(value) if id(one) not in self._names]

    def _end_of(self, path: str) -> Any:
        @_unwatched
        def end(module: nn.Module, _args: Any, output: Any) -> None:
            if is_identity(module):
                self._note(_IDENTITY_CALL, [_given(output)], output)
            while self._open[-1].path != path:  # they raised, and this module went on
                self._open.pop()
            returned = self._others_in(output)
            self._note_unseen(module, returned)
            outputs = tuple(self._value_of(self._source_of(one)) for one in returned)
            if not path:
                self._outputs, self._returns = outputs, _structure(output)
            self._close(module, outputs)

        return end

    def _note_unseen(self, module: nn.Module, returned: Sequence[_Given]) -> None:
        """Note what a module made of its inputs without a function of torch, such as a script."""
        call = self._open[-1]
        for one in returned:
            if call.inputs and self._known_source_of(one) is None:
                own = (*module.parameters(), *module.buffers())
                unseen = Meaning(Kind.UNKNOWN, call.type, Plain())
                self._add(self._without_function(unseen, one, own, call.inputs))

    def _close(self, module: nn.Module, outputs: tuple[int, ...]) -> None:
        call = self._open.pop()
        if call.path and self._is_single_operation(call):
            self._name_operation(module, call)
            return
        is_sequential = isinstance(module, nn.Sequential | nn.ModuleList)
        stop = len(self._ops)
        self._scopes.append(
            Scope(call.path, call.type, call.inputs, outputs, call.start, stop, is_sequential)
        )

    def _is_single_operation(self, call: _OpenCall) -> bool:
        return (
            len(self._ops) == call.start + 1
            and len(self._scopes) == call.scopes
            and self._ops[call.start].is_functional
        )

    def _name_operation(self, module: nn.Module, call: _OpenCall) -> None:
        """Give the only operation of a module the module's path, type and further elements."""
        every = (*module.parameters(recurse=False), *module.buffers(recurse=False))
        further = [one for one in every if id(one) not in self._used]
        self._used.update(map(id, further))
        op = self._ops[call.start]._replace(path=call.path, type=call.type)
        self._ops[call.start] = _with_elements(op, further)


_IDENTITY_CALL: Final = Call(None, "identity", inplace=False, args=(), kwargs={})
_CONSTANT: Final = Meaning(Kind.CONSTANT, "constant", Plain())


class _Given(NamedTuple):
    """A tensor as a function takes it: how often it had been changed in place, its shape."""

    tensor: Tensor
    version: int
    shape: Shape


@dataclass(eq=False)
class _Operation:
    """A call of a function, in the graph once it has the number of its ``value``.

    ``own`` are the model's tensors that it took. ``made_at`` is the number of operations in the
    graph by then. No result is held, so that it may die.
    """

    meaning: Meaning
    path: str
    own: tuple[Tensor, ...]
    inputs: tuple[_Source, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    result: weakref.ref[Tensor]
    version: int
    made_at: int
    value: int | None = None


_Source: TypeAlias = int | _Operation
"""The number of a value, or the operation that yields it and is not in the graph yet."""


class _OpenCall(NamedTuple):
    """A module call that has begun: how many operations and scopes there were by then."""

    path: str
    type: str
    inputs: tuple[int, ...]
    start: int
    scopes: int


def _unwatched(hook: Callable[..., None]) -> Callable[..., None]:
    """Return a hook that looks at tensors without being observed itself."""

    def run(*args: Any) -> None:
        with DisableTorchFunction():
            hook(*args)

    return run


class _Mode(TorchFunctionMode):
    """Hands every call of a torch function to an observer."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._observer.run(func, args, kwargs or {})


@contextmanager
def _inside_composite(observer: Observer) -> Iterator[None]:
    """Observe the functions that a function of torch.nn.functional calls, not that function."""
    names = vars(functional)
    asks_the_mode = names["has_torch_function"]
    names["has_torch_function"] = lambda _tensors: False
    try:
        with _Mode(observer):
            yield
    finally:
        names["has_torch_function"] = asks_the_mode


class _Values:
    """Which value a tensor holds. Tensors are known by weak references, so that they may die."""

    def __init__(self) -> None:
        self._by_tensor: dict[int, tuple[weakref.ref[Tensor], int, int]] = {}

    def set(self, tensor: Tensor, version: int, value: int) -> None:
        """Note that ``tensor`` holds ``value`` since a version."""
        self._by_tensor[id(tensor)] = (weakref.ref(tensor), version, value)

    def get(self, tensor: Tensor, version: int) -> int | None:
        """Return the value that a tensor held at a version; None if it holds none."""
        reference, known, value = self._by_tensor.get(id(tensor), (None, 0, 0))
        if reference is None or reference() is not tensor:
            return None
        if version == known:
            return value
        # changed through a view since: the value that was written last into its storage
        storage = storage_of(tensor)
        sharing = (
            number
            for reference, _version, number in self._by_tensor.values()
            if (other := reference()) is not None and storage_of(other) is storage
        )
        return max(sharing)


def _structure(value: object) -> str:
    """Return the type of a value: of a mapping with its keys, and where values are nested."""
    name = type(value).__name__
    if isinstance(value, Mapping):
        inner = (_structure(one) for one in value.values())
        keys = (key if isinstance(key, str) and key.isidentifier() else repr(key) for key in value)
        items = [
            key if one == "Tensor" else f"{key}: {one}"
            for key, one in zip(keys, inner, strict=True)
        ]
        return f"{name}({', '.join(items)})"
    if isinstance(value, list | tuple) and not all(isinstance(one, Tensor) for one in value):
        return f"{name}({', '.join(map(_structure, value))})"
    return name


def _given(tensor: Tensor) -> _Given:
    return _Given(tensor, _version_of(tensor), tuple(tensor.shape))


def _version_of(tensor: Tensor) -> int:
    """Return how often a tensor was changed in place; torch does not count in inference mode."""
    return 0 if tensor.is_inference() else tensor._version


def _is_packed(argument: object) -> bool:
    """Return whether an argument is an object of PyTorch's own, or a list with one."""
    if isinstance(argument, list | tuple):
        return any(map(_is_packed, argument))
    return isinstance(argument, ScriptObject)


def _with_packed_weights(meaning: Meaning) -> Meaning:
    """Return a meaning without a rule: PyTorch has packed the weights."""
    known = meaning.attributes
    plain = known if isinstance(known, Plain) else Plain()
    return meaning._replace(kind=Kind.UNKNOWN, attributes=plain._replace(packed=True))


def _element_bytes(model: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Return the bytes of one element of the activations: indices that go in do not tell."""
    floating = (one for one in (*inputs, *model.parameters()) if one.is_floating_point())
    return next(floating, inputs[0]).element_size()


def _names_of(model: nn.Module) -> dict[int, str]:
    """Return the path of each parameter and buffer by the identity of its tensor."""
    return {id(one): name for name, one in (*model.named_parameters(), *model.named_buffers())}


def _with_elements(op: Op, own: Sequence[Tensor]) -> Op:
    """Return an operation that has used further tensors of the model."""
    params = [one for one in own if isinstance(one, nn.Parameter)]
    return op._replace(
        params=op.params + sum(one.numel() for one in params),
        trainable_params=op.trainable_params + sum(p.numel() for p in params if p.requires_grad),
        buffers=op.buffers + sum(one.numel() for one in own) - sum(p.numel() for p in params),
    )
