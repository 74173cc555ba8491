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
from mbv2cli.specs.weights.content import of_bytes
from mbv2cli.specs.weights.onnx import read_onnx
from mbv2cli.specs.weights.tensors import Tensor, Weights
from tests.specs.checkpoint.networks import CODEBASES, alphabetical, weights_of
from tests.specs.weights.files import SMALL, onnx_bytes
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


def shapes_of(checkpoint: Checkpoint) -> tuple[object, ...]:
    return shapes(spec_of(checkpoint))


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
        ({"classifier.1.bias": (9,)}, "classes", "classifier.1.bias has 9 elements, but classi"),
        (
            {"features.3.1.weight": (17,), "features.3.1.bias": (17,)},
            "head",
            "features.3.1.weight has 17 elements, but features.3.0.weight makes 16",
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


@pytest.mark.parametrize("codebase", CODEBASES)
def test_every_vector_is_compared_with_its_layer(codebase: str) -> None:
    """One vector of a norm, all vectors of a norm, or a bias has one element more."""
    tensors = weights_of(network("network:stages=t1c16/t6c24"), codebase).tensors
    vectors = [one for one in tensors if len(one.shape) == 1]
    folders = {one.name.rpartition("." if "." in one.name else "/")[0] for one in vectors}
    for changed in [{one.name} for one in vectors] + [
        {one.name for one in vectors if one.name.startswith((f"{folder}.", f"{folder}/"))}
        for folder in folders
    ]:
        others = [
            one._replace(shape=(one.shape[0] + 1,)) if one.name in changed else one
            for one in tensors
        ]
        layout = weights_of(network("network:stages=t1c16/t6c24"), codebase).layout
        checkpoint = checkpoint_of(FILE, Weights("test", tuple(others), layout))
        assert keys(checkpoint, How.CONTRADICTED), changed


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        (
            {"neck.conv.weight": (4, 6, 1, 1), "neck.out.weight": (4, 4, 3, 3)},
            "other layers",
            "neck.",
        ),
        ({"features.2.conv.2.bias": (6,)}, "bias", "features.2.conv.2 has one"),
        (
            {"features.2.conv.se.0.weight": (8, 24, 1, 1), "features.2.conv.se.0.bias": (8,)}
            | {"features.2.conv.se.1.weight": (8,), "features.2.conv.se.1.bias": (8,)}
            | {"features.2.conv.se.2.weight": (24, 8, 1, 1), "features.2.conv.se.2.bias": (24,)},
            "other layers",
            "features.2.conv.se.1",
        ),
    ],
)
def test_what_a_spec_leaves_out_is_told(
    changes: Mapping[str, tuple[int, ...] | None], key: str, words: str
) -> None:
    checkpoint = small(changes)
    assert any(words in why for why in reasons(checkpoint, How.LEFT_OUT, key))


@pytest.mark.parametrize("codebase", CODEBASES)
def test_a_norm_after_the_head_is_left_out(codebase: str) -> None:
    weights = weights_of(network("keras_050"), codebase)
    norm = [Tensor(f"neck{'/' if codebase == 'Keras' else '.'}{n}", (1280,), "f") for n in "ab"]
    more = Weights("test", (*weights.tensors, *norm), weights.layout)
    assert reasons(checkpoint_of(FILE, more), How.LEFT_OUT, "other layers") == ["neck"]
    assert not keys(checkpoint_of(FILE, weights), How.LEFT_OUT)


def test_norms_that_are_not_in_the_file_are_assumed() -> None:
    checkpoint = small({"features.0.1.weight": None, "features.0.1.bias": None})
    (why,) = reasons(checkpoint, How.ASSUMED, "norms")
    assert why.startswith("the file has none")


def test_a_classifier_without_a_bias_is_read() -> None:
    spec = spec_of(small({"classifier.1.bias": None}))
    assert isinstance(spec, NetworkSpec)
    assert not spec.classifier_bias


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
        (
            {
                "features.1.mix.qkv.weight": (12, 4),
                "features.1.mix.proj.weight": (4, 4),
            },
            "features.1.mix.qkv.weight is a linear layer between the blocks, as 1 more layer is",
        ),
        (
            {"features.0.0.weight": (9, 3, 3, 3), "features.2.conv.0.0.weight": (24, 5, 1, 1)},
            "its blocks are not in a row: features.1.conv.0.0.weight takes 8 channels, but feat",
        ),
    ],
)
def test_what_is_no_mobilenetv2(changes: Mapping[str, tuple[int, ...] | None], words: str) -> None:
    checkpoint = small(changes)
    assert checkpoint.model is None
    assert words in checkpoint.why_not
    assert "tensor" in checkpoint.contents


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("features.5.conv.1.0.weight", "block 5 has no depthwise convolution beside features.5"),
        ("features.17.conv.1.0.weight", "block 17 has no depthwise convolution beside feat"),
        ("features.5.conv.2.weight", "no 1x1 convolution follows features.5.conv.1.0.weight"),
    ],
)
def test_a_block_without_a_convolution_is_named(name: str, why: str) -> None:
    tensors = weights_of(network("torchvision"), "torchvision").tensors
    lacking = [one for one in tensors if one.name != name]
    checkpoint = checkpoint_of(FILE, Weights("test", tuple(lacking)))
    assert checkpoint.model is None
    assert why in checkpoint.why_not


def test_other_heads_are_left_out() -> None:
    """A convolution with a norm, or one of several, is no part of a classifier."""
    names = {name for name in SMALL if name.startswith("classifier")}
    backbone: dict[str, tuple[int, ...]] = {
        name: shape for name, shape in SMALL.items() if name not in names
    }
    deeplab: dict[str, tuple[int, ...]] = {
        f"classifier.0.convs.{number}.0.weight": (8, 16, side, side)
        for number, side in enumerate((1, 3, 3))
    }
    norms: dict[str, tuple[int, ...]] = {
        f"{path}.1.{vector}": (8,)
        for path in ("classifier.0.convs.0", "classifier.0.convs.1", "classifier.cbr")
        for vector in ("weight", "bias")
    }
    lraspp: dict[str, tuple[int, ...]] = {
        "classifier.cbr.0.weight": (8, 16, 1, 1),
        "classifier.high.weight": (9, 8, 1, 1),
        "classifier.high.bias": (9,),
    }
    mlp = {f"classifier.{n}.weight": shape for n, shape in enumerate(((9, 16), (8, 9), (7, 8)))}
    flat = {"fc.weight": (10, 16 * 49), "fc.bias": (10,)}
    attention = {f"mix.{n}.weight": shape for n, shape in enumerate(((48, 16), (16, 16), (9, 16)))}
    for head in (
        {**deeplab, **norms, "classifier.4.weight": (9, 8, 1, 1), "classifier.4.bias": (9,)},
        {**lraspp, **norms},
        mlp,
        flat,
        attention,
    ):
        checkpoint = of({**backbone, **head})
        assert shapes_of(checkpoint) == shapes_of(of(backbone)), head
        assert keys(checkpoint, How.LEFT_OUT) == ["other layers"]
        assert "classes" not in keys(checkpoint, How.READ)


@pytest.mark.parametrize("transposes", [True, False])
@pytest.mark.parametrize("pattern", ["onnx::Conv_{}", "weird name/{}:0", "a/{}"])
def test_a_graph_tells_layers_apart(pattern: str, transposes: bool) -> None:  # noqa: FBT001
    """Each operation takes a kernel and a bias, and says which way round a kernel is."""
    shapes, nodes = {}, []
    for number, shape in enumerate(one for one in SMALL.values() if len(one) > 1):
        kernel, bias = pattern.format(2 * number), pattern.format(2 * number + 1)
        kind = "Gemm" if len(shape) == 2 else "Conv"
        shapes[kernel] = shape[::-1] if kind == "Gemm" and not transposes else shape
        shapes[bias] = shape[:1]
        nodes.append((kind, ["x", kernel, bias]))
    weights = read_onnx(of_bytes(onnx_bytes(shapes, nodes, transposes=transposes)))
    checkpoint = checkpoint_of(FILE, weights)
    assert shapes_of(checkpoint) == shapes_of(of(SMALL))
    assert not keys(checkpoint, How.CONTRADICTED)


def test_a_parametrized_kernel_is_the_largest_part() -> None:
    """`torch.nn.utils.parametrizations.weight_norm` stores the norms of a kernel beside it."""
    parts: dict[str, tuple[int, ...]] = {}
    for name, shape in SMALL.items():
        if len(shape) == 4:
            start = name.removesuffix("weight") + "parametrizations.weight.original"
            parts |= {f"{start}0": (shape[0], 1, 1, 1), f"{start}1": shape}
        else:
            parts[name] = shape
    assert shapes_of(of(parts)) == shapes_of(of(SMALL))
    assert of(parts).what == of(SMALL).what


def test_a_target_that_is_no_mobilenetv2_is_one_sentence(monkeypatch: Any) -> None:
    monkeypatch.setattr(model, "read_weights", lambda _path: Weights("test", ()))
    with pytest.raises(UserError, match=r"not a MobileNetV2: .*; mbv2 identify weights.pth says"):
        model.checkpoint_model(FILE)


def test_sizes_that_no_spec_has_are_one_sentence() -> None:
    with pytest.raises(UserError, match=r"weights.pth: features.1.conv.0.0.weight: out must be"):
        small({"features.1.conv.1.weight": (70_000, 8, 1, 1)})
