"""From one forward pass of any module to its observed graph, operation by operation."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeAlias

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mbv2cli.graph.graph import Graph, Lifetime, Scope
from mbv2cli.graph.ops import Kind, Op, Plain, Shape
from mbv2cli.nn.functions import (
    Call,
    Meaning,
    is_identity,
    meaning_of,
    read_call,
    tensors_in,
)


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
        self._storages = _Storages(model, inputs[0].element_size())
        self._ops: list[Op] = []
        self._scopes: list[Scope] = []
        self._open: list[_OpenCall] = []
        self._pending: dict[int, _Operation] = {}
        self._used: set[int] = set()
        self._outputs: tuple[int, ...] = ()
        self._returns = ""
        for number, tensor in enumerate(inputs):
            self._values.set(tensor, number)
            self._storages.note(tensor, -1)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note what runs inside the block; hooks are removed at its end."""
        hooks = []
        for path, module in self._model.named_modules():
            hooks += [
                module.register_forward_pre_hook(self._begin_of(path), with_kwargs=True),
                module.register_forward_hook(self._end),
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
        given = [(one, one._version) for one in (*tensors_in(args), *tensors_in(kwargs))]
        self._storages.let_go(len(self._ops) - 1)
        result = function(*args, **kwargs)
        # an assignment to a part of a tensor returns nothing and changes its first argument
        changed = tensors_in(args)[:1] if result is None and call.inplace else tensors_in(result)
        for tensor in changed:
            self._note(call, given, tensor)
        return result

    def _note(self, call: Call, given: Sequence[_Versioned], result: Tensor) -> None:
        storage = result.untyped_storage()
        is_view = any(storage is one.untyped_storage() for one, _version in given)
        operation = _Operation(
            meaning_of(call, result, is_view=is_view),
            self._open[-1].path if self._open else "",
            own=tuple(one for one, _version in given if id(one) in self._names),
            others=tuple(one for one in given if id(one[0]) not in self._names),
            output_shape=tuple(result.shape),
            result=weakref.ref(result),
        )
        if any(self._values.knows(one) for one, _version in operation.others):
            self._add(operation)
        else:
            # made of parameters and constants alone: it counts once an operation needs it
            self._pending[id(result)] = operation

    def _add(self, one: _Operation) -> int:
        """Add an operation to the graph; return the number of its value."""
        inputs = tuple(self._value_of(tensor, version) for tensor, version in one.others)
        own = [tensor for tensor in one.own if id(tensor) not in self._used]
        self._used.update(map(id, own))
        op = Op(
            one.meaning.kind,
            one.meaning.function,
            one.meaning.attributes,
            inputs,
            tuple(self._shape_of(value) for value in inputs),
            one.output_shape,
            one.path,
            macs=one.meaning.macs,
        )
        self._ops.append(_with_elements(op, own))
        index = len(self._ops) - 1
        value = len(self._input_shapes) + index
        result = one.result()
        if result is not None:
            self._values.set(result, value)
            self._storages.note(result, index)
        return value

    def _value_of(self, tensor: Tensor, version: int) -> int:
        """Return the number of a value; what nobody has made yet becomes a constant."""
        value = self._values.get(tensor, version)
        if value is not None:
            return value
        pending = self._pending.pop(id(tensor), None)
        if pending is None or pending.result() is not tensor:
            path = self._open[-1].path if self._open else ""
            shape = tuple(tensor.shape)
            pending = _Operation(CONSTANT, path, (), (), shape, weakref.ref(tensor))
        return self._add(pending)

    def _shape_of(self, value: int) -> Shape:
        inputs = len(self._input_shapes)
        if value < inputs:
            return self._input_shapes[value]
        return self._ops[value - inputs].output_shape

    def _begin_of(self, path: str) -> Any:
        def begin(module: nn.Module, args: Any, kwargs: Any) -> None:
            given = (*tensors_in(args), *tensors_in(kwargs))
            self._open.append(
                _OpenCall(
                    path,
                    type(module).__name__,
                    tuple(self._value_of(t, t._version) for t in given if self._values.knows(t)),
                    len(self._ops),
                    len(self._scopes),
                )
            )

        return begin

    def _end(self, module: nn.Module, _args: Any, output: Any) -> None:
        if is_identity(module):
            self._note(_IDENTITY_CALL, [(output, output._version)], output)
        outputs = tuple(self._value_of(one, one._version) for one in tensors_in(output))
        call = self._open.pop()
        if not call.path:
            self._outputs, self._returns = outputs, type(output).__name__
        elif self._is_single_operation(call):
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


_Versioned: TypeAlias = tuple[Tensor, int]
"""A tensor, and how often it had been changed in place."""

CONSTANT: Final = Meaning(Kind.CONSTANT, "constant", Plain())
_IDENTITY_CALL: Final = Call("identity", inplace=False, args=(), kwargs={})


class _Operation(NamedTuple):
    """A call of a function: the model's ``own`` tensors that it took, and the ``others``."""

    meaning: Meaning
    path: str
    own: tuple[Tensor, ...]
    others: tuple[_Versioned, ...]
    output_shape: Shape
    result: weakref.ref[Tensor]


class _OpenCall(NamedTuple):
    """A module call that has begun: how many operations and scopes there were by then."""

    path: str
    type: str
    inputs: tuple[int, ...]
    start: int
    scopes: int


class _Mode(TorchFunctionMode):
    """Hands every call of a torch function to an observer."""

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._observer.run(func, args, kwargs or {})


class _Values:
    """Which value a tensor holds. Tensors are known by weak references, so that they may die."""

    def __init__(self) -> None:
        self._by_tensor: dict[int, tuple[weakref.ref[Tensor], int, int]] = {}

    def set(self, tensor: Tensor, value: int) -> None:
        """Note that ``tensor``, as it is now, holds ``value``."""
        self._by_tensor[id(tensor)] = (weakref.ref(tensor), tensor._version, value)

    def knows(self, tensor: Tensor) -> bool:
        """Return whether the tensor holds a value of the graph."""
        entry = self._by_tensor.get(id(tensor))
        return entry is not None and entry[0]() is tensor

    def get(self, tensor: Tensor, version: int) -> int | None:
        """Return the value that a tensor held at a version."""
        if not self.knows(tensor):
            return None
        _tensor, known, value = self._by_tensor[id(tensor)]
        if version == known:
            return value
        # changed through a view since: the value that was written last into its storage
        storage = tensor.untyped_storage()
        sharing = (
            number
            for reference, _version, number in self._by_tensor.values()
            if (other := reference()) is not None and other.untyped_storage() is storage
        )
        return max(sharing)


class _Storages:
    """How long each storage lives, the model's own apart; -1 is before the first operation."""

    def __init__(self, model: nn.Module, element_bytes: int) -> None:
        every = (*model.parameters(), *model.buffers())
        self._own = {id(one.untyped_storage()) for one in every}
        self._element_bytes = element_bytes
        self._alive: dict[int, tuple[weakref.ref[Any], int, int]] = {}
        self._ended: list[Lifetime] = []

    def note(self, tensor: Tensor, op: int) -> None:
        """Note the storage of a tensor that an operation returned."""
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self._own:
            return
        known = self._alive.get(key)
        if known is not None and known[0]() is storage:
            return
        if known is not None:
            self._end(key, op)
        elements = -(-storage.nbytes() // self._element_bytes)
        self._alive[key] = (weakref.ref(storage), op, elements)

    def let_go(self, last: int) -> None:
        """Note that ``last`` was the last operation of the storages that are dead by now."""
        for key in [key for key, (storage, *_) in self._alive.items() if storage() is None]:
            self._end(key, last)

    def lifetimes(self, last: int) -> tuple[Lifetime, ...]:
        """Return all lifetimes; what is alive has lived until the operation ``last``."""
        rest = (Lifetime(first, last, size) for _storage, first, size in self._alive.values())
        return (*self._ended, *rest)

    def _end(self, key: int, last: int) -> None:
        _storage, first, elements = self._alive.pop(key)
        self._ended.append(Lifetime(first, last, elements))


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
