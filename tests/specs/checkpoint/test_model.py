"""From tensors to a spec: every codebase, wrappers, contradictions, and what is no MobileNetV2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given

from mbv2cli import NetworkSpec
from mbv2cli.errors import UserError
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.checkpoint import model
from mbv2cli.specs.checkpoint.model import Checkpoint, checkpoint_of
from mbv2cli.specs.checkpoint.relatives import may_end_with
from mbv2cli.specs.origin import How
from mbv2cli.specs.presets import presets
from mbv2cli.specs.reader import KINDS, read_request, read_spec
from mbv2cli.specs.weights.tensors import Tensor, Weights
from tests.specs.checkpoint.networks import CODEBASES, alphabetical, weights_of
from tests.specs.weights.files import SMALL
from tests.strategies import network_specs

FILE = Path("weights.pth")
ASSUMED = ["strides", "dilation", "act", "size", "shortcut"]


def network(target: str) -> NetworkSpec:
    spec = read_request(target).spec
    assert isinstance(spec, NetworkSpec)
    return spec


def spec_of(checkpoint: Checkpoint) -> BlockSpec | NetworkSpec:
    assert checkpoint.model is not None, checkpoint.why_not
    kind, settings, _origin = checkpoint.model
    return read_spec(KINDS[kind], settings)


def keys(checkpoint: Checkpoint, how: How) -> list[str]:
    assert checkpoint.model is not None
    assert checkpoint.model.origin is not None
    return [field.key for field in checkpoint.model.origin.fields if field.how is how]


def reasons(checkpoint: Checkpoint, how: How, key: str) -> list[str]:
    assert checkpoint.model is not None
    assert checkpoint.model.origin is not None
    fields = checkpoint.model.origin.fields
    return [field.why for field in fields if (field.key, field.how) == (key, how)]


def shapes(spec: BlockSpec | NetworkSpec) -> tuple[object, ...]:
    """Return what weights tell of a spec."""
    blocks = spec.blocks if isinstance(spec, NetworkSpec) else (spec,)
    own = [
        (b.in_channels, b.hidden_channels, b.out_channels, b.kernel, b.has_expansion)
        for b in blocks
    ]
    if isinstance(spec, BlockSpec):
        return tuple(own)
    return spec.in_channels, spec.stem_channels, *own, spec.head_channels, spec.classes


def small(changes: Mapping[str, tuple[int, ...] | None]) -> Checkpoint:
    """Return what is read of the network of two blocks with some tensors changed or left out."""
    changed = {**SMALL, **changes}
    return of(changed)


def of(changed: Mapping[str, tuple[int, ...] | None]) -> Checkpoint:
    tensors = (Tensor(name, shape, "float32") for name, shape in changed.items() if shape)
    return checkpoint_of(FILE, Weights("test", tuple(tensors)))


@pytest.mark.parametrize("codebase", CODEBASES)
@pytest.mark.parametrize("order", ["forward", "alphabetical"])
@pytest.mark.parametrize(
    "target", ["paper", "network:in=1,classes=3,width_mult=0.35", "deeplab_os8", "mobilenetv2_120d"]
)
def test_every_codebase(target: str, order: str, codebase: str) -> None:
    spec = network(target)
    weights = weights_of(spec, codebase)
    if order == "alphabetical":
        weights = alphabetical(weights)
    checkpoint = checkpoint_of(FILE, weights)
    assert shapes(spec_of(checkpoint)) == shapes(spec)
    assert checkpoint.what.startswith(f"{codebase} checkpoint")
    assert keys(checkpoint, How.READ) == [
        "in",
        "stem",
        "channels",
        "expand",
        "kernel",
        "head",
        "classes",
    ]
    assert not keys(checkpoint, How.CONTRADICTED)
    assert keys(checkpoint, How.ASSUMED)[:5] == ASSUMED


@pytest.mark.parametrize(
    ("codebase", "dropout", "norm_eps", "padding"),
    [
        ("torchvision", 0.2, 1e-5, "torch"),
        ("tonylins", 0.0, 1e-5, "torch"),
        ("timm", 0.0, 1e-5, "torch"),
        ("Hugging Face", 0.8, 1e-3, "same"),  # MobileNetV2Config, as in a config.json
        ("MMPretrain", 0.0, 1e-5, "torch"),
        ("Keras", 0.0, 1e-3, "same"),
    ],
)
def test_what_a_codebase_gives_a_network_is_assumed(
    codebase: str, dropout: float, norm_eps: float, padding: str
) -> None:
    checkpoint = checkpoint_of(FILE, weights_of(network("keras_050"), codebase))
    spec = spec_of(checkpoint)
    assert isinstance(spec, NetworkSpec)
    assert (spec.dropout, spec.norm_eps, spec.padding) == (dropout, norm_eps, padding)
    for key in ("dropout", "norm_eps", "padding"):
        assert reasons(checkpoint, How.ASSUMED, key) == [f"not in weights: {codebase}'s"]


@pytest.mark.parametrize(
    "preset",
    [
        name
        for name, preset in presets().items()
        if preset.family == "mobilenetv2" and name != "mobilenetv2_cifar"
    ],
)
def test_strides_are_those_of_every_mobilenetv2_for_imagenet(preset: str) -> None:
    spec = network(preset)
    found = spec_of(checkpoint_of(FILE, weights_of(spec, "timm")))
    assert isinstance(found, NetworkSpec)
    assert [b.stride for b in found.blocks] == [b.stride for b in spec.blocks]


@given(network_specs())
def test_any_network(spec: NetworkSpec) -> None:
    # a 1×1 depthwise convolution and a fused block have weights that are read as others
    assume(all(block.kernel > 1 and block.type == "inverted" for block in spec.blocks))
    assume(any(block.has_expansion for block in spec.blocks))
    checkpoint = checkpoint_of(FILE, weights_of(spec, "torchvision"))
    assert shapes(spec_of(checkpoint)) == shapes(spec)


@pytest.mark.parametrize(
    "wrapper",
    [
        "module.",
        "state_dict.",
        "model.",
        "state_dict.module.model.",
        "model_ema.module.",
        "backbone.",
    ],
)
def test_a_wrapper_is_looked_through(wrapper: str) -> None:
    checkpoint = of({f"{wrapper}{name}": shape for name, shape in SMALL.items()})
    assert shapes(spec_of(checkpoint)) == shapes(spec_of(of(SMALL)))


def test_a_moving_average_beside_the_model_counts_once() -> None:
    both = {f"{part}.{name}": shape for part in ("model", "ema") for name, shape in SMALL.items()}
    both |= {f"optimizer.{number}.m": (9, 9, 3, 3) for number in range(99)}
    assert shapes(spec_of(of(both))) == shapes(spec_of(of(SMALL)))


@pytest.mark.parametrize("prefix", ["", "state_dict."])
def test_of_two_models_side_by_side_one_is_read(prefix: str) -> None:
    narrow = weights_of(network("keras_035"), "torchvision").tensors
    wide = weights_of(network("torchvision"), "torchvision").tensors
    both = {f"{prefix}teacher.{one.name}": one.shape for one in narrow}
    both |= {f"{prefix}student.{one.name}": one.shape for one in wide}
    assert shapes(spec_of(of(both))) == shapes(network("keras_035"))


@pytest.mark.parametrize("name", presets())
def test_the_last_channels_of_a_preset_are_known_without_its_spec(name: str) -> None:
    assert may_end_with(presets()[name], network(name).blocks[-1].out_channels)


def test_a_block_alone() -> None:
    block = {name: shape for name, shape in SMALL.items() if name.startswith("features.2")}
    spec = spec_of(of(block))
    assert spec == BlockSpec.model_validate({"in": 4, "out": 6, "expand": 6, "kernel": 5})
    assert keys(of(block), How.ASSUMED) == [
        *("stride", "dilation", "act", "size", "shortcut", "padding", "norm_eps", "norms")
    ]


def test_names_that_tell_no_blocks_apart() -> None:
    """The order and the channels of the convolutions do."""
    flat = {f"onnx::Conv_{number}": shape for number, shape in enumerate(SMALL.values())}
    assert shapes(spec_of(of(flat))) == shapes(spec_of(of(SMALL)))


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        (
            {"features.0.1.bias": (9,)},
            "channels",
            "features.0.1.bias has 9 elements, but features.0.1",
        ),
        (
            {"features.2.conv.0.0.weight": (24, 5, 1, 1)},
            "channels",
            "features.2.conv.0.0.weight takes 5",
        ),
        (
            {"features.2.conv.1.0.weight": (25, 1, 5, 5)},
            "channels",
            "features.2.conv.1.0.weight takes 25",
        ),
        (
            {"features.2.conv.2.weight": (6, 23, 1, 1)},
            "channels",
            "features.2.conv.2.weight takes 23",
        ),
        (
            {"features.2.conv.1.1.weight": (9,), "features.2.conv.1.1.bias": (9,)},
            "channels",
            "9 elements",
        ),
        (
            {"classifier.1.weight": (10, 17)},
            "classes",
            "classifier.1.weight takes 17 values, but feat",
        ),
    ],
)
def test_two_tensors_that_disagree(
    changes: Mapping[str, tuple[int, ...]], key: str, words: str
) -> None:
    checkpoint = small(changes)
    assert any(words in why for why in reasons(checkpoint, How.CONTRADICTED, key))
    assert key not in keys(checkpoint, How.READ)


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        (
            {"neck.conv.weight": (4, 6, 1, 1), "neck.out.weight": (4, 4, 3, 3)},
            "other layers",
            "neck.",
        ),
        ({"features.2.conv.2.bias": (6,)}, "bias", "features.2.conv.2 has one"),
        ({"features.0.1.weight": None, "features.0.1.bias": None}, "norms", "the file has none"),
    ],
)
def test_what_a_spec_leaves_out_is_told(
    changes: Mapping[str, tuple[int, ...] | None], key: str, words: str
) -> None:
    checkpoint = small(changes)
    assert any(words in why for why in reasons(checkpoint, How.ASSUMED, key))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict.fromkeys(SMALL), "no depthwise convolution with 1x1 convolutions around it"),
        ({"features.2.conv.0.0.weight": None}, "none of its 2 blocks has an expansion"),
        (
            {"features.2.conv.se.weight": (6, 24, 1, 1)},
            "features.2.conv.se.weight is one layer more",
        ),
        ({"features.2.conv.fc.weight": (6, 24)}, "features.2.conv.fc.weight is one layer more"),
        ({"features.0.0.weight": (8, 3, 7, 7)}, "has a kernel of 7x7"),
        ({"features.0.0.weight": None}, "no convolution before the first block"),
        ({"features.2.conv.1.0.weight": (24, 1, 5, 3)}, "has a kernel of 5x3"),
    ],
)
def test_what_is_no_mobilenetv2(changes: Mapping[str, tuple[int, ...] | None], words: str) -> None:
    checkpoint = small(changes)
    assert checkpoint.model is None
    assert words in checkpoint.why_not
    assert "tensor" in checkpoint.contents


def test_a_target_that_is_no_mobilenetv2_is_one_sentence(monkeypatch: Any) -> None:
    monkeypatch.setattr(model, "read_weights", lambda _path: Weights("test", ()))
    with pytest.raises(UserError, match=r"not a MobileNetV2: .*; mbv2 identify weights.pth says"):
        model.checkpoint_model(FILE)


def test_sizes_that_no_spec_has_are_one_sentence() -> None:
    with pytest.raises(UserError, match=r"weights.pth: features.1.conv.0.0.weight: out must be"):
        small({"features.1.conv.1.weight": (70_000, 8, 1, 1)})
