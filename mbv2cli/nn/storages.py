"""How long each storage of a forward pass lives, and what functions keep only while they run."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, UntypedStorage, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mbv2cli.graph.graph import Lifetime
from mbv2cli.nn.functions import tensors_in


class Storages:
    """How long each storage lives, the model's own apart; -1 is before the first operation."""

    def __init__(self, model: nn.Module, element_bytes: int) -> None:
        every = (*model.parameters(), *model.buffers())
        self._own = {id(storage_of(one)) for one in every}
        self._element_bytes = element_bytes
        self._alive: dict[int, tuple[weakref.ref[Any], int, int]] = {}
        self._ended: list[Lifetime] = []

    def note(self, tensor: Tensor, op: int) -> None:
        """Note the storage of a tensor that an operation returned."""
        storage = storage_of(tensor)
        key = id(storage)
        if storage is None or key in self._own:
            return
        known = self._alive.get(key)
        if known is not None and known[0]() is storage:
            return
        if known is not None:
            self._end(key, op)
        self._alive[key] = (weakref.ref(storage), op, self._elements(storage.nbytes()))

    def note_temporary(self, size: int, op: int) -> None:
        """Note bytes that are needed only while an operation runs."""
        if size:
            self._ended.append(Lifetime(op, op, self._elements(size)))

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

    def _elements(self, size: int) -> int:
        return -(-size // self._element_bytes)


class Temporaries(TorchDispatchMode):
    """Follows the storages that a function makes: some functions are made of several others.

    Max pooling has indices, which nobody takes; a linear layer copies an input whose elements
    are not next to each other.
    """

    supports_higher_order_operators = True

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports its compiler, which takes longer than all of mbv2

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[int, tuple[weakref.ref[Any], int]] = {}
        self._peak = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        given = {id(storage_of(one)) for one in (*tensors_in(args), *tensors_in(kwargs))}
        for tensor in tensors_in(result):
            storage = storage_of(tensor)
            if storage is not None and id(storage) not in given:
                self._made[id(storage)] = (weakref.ref(storage), storage.nbytes())
        self._peak = max(self._peak, self._alive_bytes())
        return result

    @property
    def extra_bytes(self) -> int:
        """The most bytes at one moment, beyond those that are left now."""
        return self._peak - self._alive_bytes()

    def _alive_bytes(self) -> int:
        return sum(size for storage, size in self._made.values() if storage() is not None)


def storage_of(tensor: Tensor) -> UntypedStorage | None:
    """Return the storage of a tensor; sparse and batched (vmap) tensors have none."""
    try:
        return tensor.untyped_storage()
    except NotImplementedError:
        return None
