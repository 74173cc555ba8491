"""Python text as a TARGET: a configuration of MMPretrain, or stages as ``[t, c, n, s]``.

The text is parsed and never executed. What a configuration means is in MMPretrain's
``models/backbones/mobilenet_v2.py``.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from mbv2cli.errors import UserError, value_text
from mbv2cli.specs.foreign import ForeignModel
from mbv2cli.specs.network import MAX_STAGES, NetworkSpec
from mbv2cli.specs.origin import FieldOrigin, How, Origin
from mbv2cli.specs.reader import Setting, read_spec

MAX_BYTES: Final = 2**17
"""Largest Python text that is parsed: its tree takes 400 times the memory."""

_MAX_BITS: Final = 64
"""Bits of the largest whole number: no message can show those of 4,000 digits."""

STAGE_NAMES: Final = ("arch_settings", "inverted_residual_setting", "cfgs")
"""The names that MMPretrain, torchvision and others give to a list of ``[t, c, n, s]``."""

_ROW: Final = ("t", "c", "n", "s")
_BACKBONE: Final = "MobileNetV2"
_HEAD: Final = "LinearClsHead"
_NECK: Final = "GlobalAveragePooling"
_OUTPUTS: Final = 8
"""The outputs that a backbone of MMPretrain can give: those of seven stages and of the head."""

_READ: Final = ("type", "widen_factor", "out_indices", "act_cfg", "norm_cfg", "frozen_stages")
_IGNORED: Final = ("init_cfg", "norm_eval", "pretrained", "with_cp", "_delete_", "_scope_")
"""Fields that change no shape and no count."""

_ASSUMED_OF_STAGES: Final = (
    *("in", "width_mult", "classes", "dropout", "stem", "head", "act", "size"),
)


class _Unread:
    """The value of an expression that is not a literal."""

    def __repr__(self) -> str:
        return "an expression"


_UNREAD: Final = _Unread()


def stages_model(path: Path, rows: object, name: str) -> ForeignModel:
    """Return the network of a list of ``[t, c, n, s]``. Raises `UserError` if it is not one."""
    why = "the file gives the stages alone; this is the value of mbv2's network"
    fields = (
        FieldOrigin("stages", How.READ, name),
        *(FieldOrigin(key, How.ASSUMED, why) for key in _ASSUMED_OF_STAGES),
    )
    origin = Origin(str(path), "list of [t, c, n, s]", fields)
    return ForeignModel(NetworkSpec.noun, [_stages(path, rows, name)], origin)


def is_stages(content: object) -> bool:
    """Return whether a document is a list of lists, such as ``[[1, 16, 1, 1]]``."""
    return isinstance(content, list | tuple) and any(
        isinstance(row, list | tuple) for row in content
    )


def python_model(path: Path, text: str) -> ForeignModel | None:
    """Return the model of Python text, None if it describes none.

    Raises `UserError` if the text is too large, or the model is not a network of mbv2.
    """
    if len(text) > MAX_BYTES:
        raise UserError(
            f"{path} is text of more than {MAX_BYTES >> 10} KiB; mbv2 reads larger text only if it "
            "is JSON"
        )
    tree = _parsed(text)
    if tree is None:
        return None
    values = _assigned(tree)
    found = [one for value in values.values() for one in _models(value)]
    if len({repr(one) for one in found}) > 1:
        raise UserError(f"{path} has {len(found)} backbones of type {_BACKBONE}; keep one")
    if found:
        return _configured(path, found[0])
    for name in STAGE_NAMES:
        if name in values:
            return stages_model(path, values[name], name)
    if is_stages(values.get("")):
        return stages_model(path, values[""], "list")
    return None


def _parsed(text: str) -> ast.Module | None:
    """Return the tree of Python text, None if it is not Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _assigned(tree: ast.Module) -> dict[str, Any]:
    """Return the value of each name, also inside classes and functions; ``""`` has no name.

    The first value of a name counts.
    """
    values: dict[str, Any] = {}
    for node in ast.walk(tree):
        match node:
            case (
                ast.Assign(targets=[target], value=value)
                | ast.AnnAssign(target=target, value=ast.expr() as value)
            ):
                name = getattr(target, "id", getattr(target, "attr", None))
            case ast.Expr(value=ast.List() | ast.Tuple() | ast.Dict() | ast.Call() as value):
                name = ""
            case _:
                continue
        if isinstance(name, str):
            values.setdefault(name, _value(value, values))
    return values


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """Return what an expression means if it is a literal, ``dict(…)`` or the name of a number."""
    match node:
        case ast.Constant(value=value) if getattr(value, "numerator", 0) < 2**_MAX_BITS:
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(item, known) for item in items]
        case ast.Dict() | ast.Call(func=ast.Name(id="dict"), args=[]):
            return {key: _field(key, value, known) for key, value in _fields(node)}
        case ast.Name(id=name) if isinstance(known.get(name), int | float | str):
            return known[name]
    return _UNREAD


def _fields(node: ast.Dict | ast.Call) -> Iterator[tuple[object, ast.expr]]:
    """Yield the keys and values of a dictionary whose keys are literals."""
    if isinstance(node, ast.Call):
        yield from ((one.arg, one.value) for one in node.keywords if one.arg)
        return
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant):
            yield key.value, value


def _field(key: object, node: ast.expr, known: Mapping[str, Any]) -> Any:
    """Return the value of a field; the type may be a class, which its name stands for."""
    if key == "type" and isinstance(node, ast.Name):
        return node.id
    return _value(node, known)


def _models(value: Any) -> Iterator[dict[Any, Any]]:
    """Yield each table in a value whose backbone is a MobileNetV2, or each such backbone alone."""
    if isinstance(value, list):
        for item in value:
            yield from _models(item)
    elif isinstance(value, dict):
        if _type(value.get("backbone")) == _BACKBONE:
            yield value
        elif _type(value) == _BACKBONE:
            yield {"backbone": value}
        else:
            yield from _models(list(value.values()))


def _type(table: object) -> str | None:
    """Return the type that a table names, without the package: ``mmcls.MobileNetV2``."""
    name = table.get("type") if isinstance(table, dict) else None
    return name.rpartition(".")[2] if isinstance(name, str) else None


def _configured(path: Path, model: Mapping[Any, Any]) -> ForeignModel:
    """Return the network of a configuration. Raises `UserError` if mbv2 has no such network."""
    backbone = model["backbone"]
    _refuse_other(path, backbone)
    classifier, of_classifier = _classifier(path, model)
    settings = [
        Setting("width_mult", backbone.get("widen_factor", 1.0), f"{path}: widen_factor"),
        Setting("act", _act(path, backbone), f"{path}: act_cfg"),
        *classifier,
    ]
    spec = read_spec(NetworkSpec, settings)
    head = int(spec.head * max(1.0, spec.width_mult))
    if head != spec.head_channels:  # MMPretrain does not round this number
        place = f"{path}: widen_factor"
        settings += [Setting("head", head, place), Setting("head_scaling", "fixed", place)]
    fields = (
        FieldOrigin("width_mult", How.READ, "widen_factor"),
        FieldOrigin("act", How.READ, "act_cfg"),
        of_classifier,
        FieldOrigin("size", How.ASSUMED, "the file does not give it"),
        *_not_shown(backbone),
    )
    origin = Origin(str(path), "MMPretrain configuration", fields)
    return ForeignModel(NetworkSpec.noun, settings, origin)


def _refuse_other(path: Path, backbone: Mapping[Any, Any]) -> None:
    """Raise `UserError` for a field of the backbone that mbv2 cannot have, or does not know."""
    for key, value in backbone.items():
        place = f"{path}: {key}"
        if key not in (*_READ, *_IGNORED, "conv_cfg"):
            raise UserError(f"{place} is not a field that mbv2 knows (it knows {', '.join(_READ)})")
        if key in _READ and isinstance(value, _Unread):
            raise UserError(f"{place} is not a literal; mbv2 runs no code, so write the value")
        if key == "conv_cfg" and value is not None:
            raise UserError(f"{place} must be None: mbv2 has only plain convolutions")
        if key == "norm_cfg" and not (_type(value) in ("BN", "BN2d", "SyncBN") and _trains(value)):
            raise UserError(f"{place} must be BatchNorm whose parameters are trained")
    outputs = backbone.get("out_indices", [7])
    if not isinstance(outputs, list) or not all(one in range(_OUTPUTS) for one in outputs):
        raise UserError(
            f"{path}: out_indices must be a tuple of numbers from 0 to {_OUTPUTS - 1}, not "
            f"{value_text(outputs)}"
        )


def _trains(norm: Mapping[str, Any]) -> bool:
    return norm.get("requires_grad", True) is True


def _act(path: Path, backbone: Mapping[Any, Any]) -> object:
    act = backbone.get("act_cfg", {"type": "ReLU6"})
    if not isinstance(act, dict) or not act.keys() <= {"type", "inplace"}:
        raise UserError(
            f"{path}: act_cfg must be a dict with a type, such as dict(type='ReLU6'), not "
            f"{value_text(act)}"
        )
    return act.get("type")


def _classifier(path: Path, model: Mapping[Any, Any]) -> tuple[list[Setting], FieldOrigin]:
    """Return the settings of the classifier, and how it is known.

    The network has no classifier if the file has none, or none that mbv2 has.
    """
    head = model.get("head")
    if isinstance(head, dict) and (_type(model.get("neck")), _type(head)) == (_NECK, _HEAD):
        settings = [
            Setting("classes", head.get("num_classes"), f"{path}: num_classes"),
            Setting("dropout", 0.0, f"{path}: head"),
        ]
        return settings, FieldOrigin("classes", How.READ, "num_classes")
    left_out = [key for key, value in model.items() if key != "backbone" and _type(value)]
    origin = FieldOrigin("classes", How.READ, "there is no head")
    if left_out:
        why = f"{', '.join(map(str, left_out))} of the file are left out: this is the backbone"
        origin = FieldOrigin("classes", How.ASSUMED, why)
    return [Setting("classes", 0, f"{path}: head")], origin


def _not_shown(backbone: Mapping[Any, Any]) -> Iterator[FieldOrigin]:
    """Yield what the file says and mbv2 does not show."""
    if backbone.get("out_indices", [7]) != [7]:
        why = f"out_indices asks for {value_text(backbone['out_indices'])}, mbv2 shows the last"
        yield FieldOrigin("output", How.ASSUMED, why)
    if backbone.get("frozen_stages", -1) != -1:
        why = "frozen_stages is set, and mbv2 counts every parameter as trainable"
        yield FieldOrigin("trainable", How.ASSUMED, why)


def _stages(path: Path, rows: object, name: str) -> Setting:
    place = f"{path}: {name}"
    if not isinstance(rows, list | tuple) or not 1 <= len(rows) <= MAX_STAGES:
        raise UserError(
            f"{place} must be a list of 1 to {MAX_STAGES} rows [t, c, n, s], each of numbers"
        )
    for number, row in enumerate(rows):
        if not isinstance(row, list | tuple) or len(row) != len(_ROW):
            raise UserError(
                f"{place}[{number}] must be [t, c, n, s] such as [6, 24, 2, 2], not "
                f"{value_text(row)}"
            )
    return Setting("stages", [dict(zip(_ROW, row, strict=True)) for row in rows], place)
