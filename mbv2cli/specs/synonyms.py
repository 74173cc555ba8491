"""Names that other tools use, and the keys of mbv2 that have the same meaning."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from string import Formatter
from typing import Final

SYNONYMS: Final[Mapping[str, str]] = {
    "activation": "{act}",
    "activation_function": "{act}",
    "alpha": "{width_mult}",
    "batch_size": "{batch}",
    "expand_ratio": "{expand}",
    "expansion": "{expand}",
    "expansion_factor": "{expand}",
    "image_size": "{size}",
    "img_size": "{size}",
    "imgsz": "{size}",
    "in_channels": "{in}",
    "in_chans": "{in}",
    "input_shape": "{size} and {in}",
    "input_size": "{size} and {in}",
    "json": "{format} json",
    "kernel_size": "{kernel}",
    "multiplier": "{width_mult}",
    "nc": "{classes}",
    "num_classes": "{classes}",
    "out_channels": "{out}",
    "resolution": "{size}",
    "rule": "{peak_rule}",
    "width": "{width_mult} or {size}",
    "width_multiplier": "{width_mult}",
}
"""By the name in other tools: the keys to write instead."""

_FALSE_FRIENDS: Final[Mapping[str, str]] = {
    "depth_multiplier": "; TF-slim and Hugging Face call the width multiplier depth_multiplier: "
    "use {width_mult} for the width, {depth_mult} for the repeats",
    "max_flops": "; FLOPs are 2 × MACs: use {max_macs} with half of the value",
}
"""Names that mean something else in mbv2, with the sentence that says so."""

_NEAR: Final = 0.75
"""The least similarity of a misspelled key."""


def quoted(key: str) -> str:
    """Return a key in quotes, as files and inline settings have it."""
    return f"'{key}'"


def nearest_key(name: str, valid: Iterable[str], written: Callable[[str], str] = quoted) -> str:
    """Return the end of a sentence that names the key to use for ``name``, or ``""``.

    That is a key with the same meaning or, if there is none, a key with nearly the same spelling.
    ``written`` returns a key as the user writes it.
    """
    name = name.lower().replace("-", "_")
    valid = set(valid)
    for sentences, start, end in ((_FALSE_FRIENDS, "", ""), (SYNONYMS, "; did you mean ", "?")):
        sentence = sentences.get(name, "")
        used = {key for _, key, _, _ in Formatter().parse(sentence) if key}
        if used and used <= valid:
            return start + sentence.format_map({key: written(key) for key in used}) + end
    similar = {key for key in valid if _bound(key) == _bound(name)}
    matches = difflib.get_close_matches(name, sorted(similar), n=1, cutoff=_NEAR)
    return f"; did you mean {written(matches[0])}?" if matches else ""


def _bound(key: str) -> str:
    """Return ``max_`` or ``min_`` of a limit, so that no guess turns one into the other."""
    return key[:4] if key.startswith(("max_", "min_")) else ""
