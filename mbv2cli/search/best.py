"""The first few by a figure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mbv2cli.search.members import Members


def lowest(members: Members, key: NDArray[Any], count: int) -> Members:
    """Return the ``count`` different members of the lowest keys; of equal ones, the earlier."""
    looked_at = count
    while True:
        few = _about_lowest(key, looked_at)
        few = few[np.lexsort((members.positions[few], key[few]))]
        different = members.at(few)
        different = different.at(different.firsts()[:count])
        if len(different) == count or len(few) == len(key):
            return different
        looked_at = 4 * len(few)


def _about_lowest(key: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Return the places of the ``count`` lowest keys, and of all that equal the last of them."""
    if count >= len(key):
        return np.arange(len(key))
    return np.flatnonzero(key <= np.partition(key, count - 1)[count - 1])
