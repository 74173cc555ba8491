"""Configurations of other codebases as targets, with figures that their authors publish."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from mbv2cli import NetworkSpec, UserError
from mbv2cli.inspection import plan_of
from mbv2cli.specs.block import sides_of
from mbv2cli.specs.files import inputs
from mbv2cli.specs.origin import How
from mbv2cli.specs.reader import Request, Setting, read_request
from tests.process import mbv2_here

GOOGLE: Final[Mapping[str, Any]] = {
    # transformers' convert_original_tf_checkpoint_to_pytorch.py writes this for Google's networks
    "architectures": ["MobileNetV2ForImageClassification"],
    "classifier_dropout_prob": 0.8,
    "depth_divisible_by": 8,
    "depth_multiplier": 1.0,
    "expand_ratio": 6,
    "finegrained_output": True,
    "first_layer_is_expansion": True,
    "hidden_act": "relu6",
    "id2label": {str(number): f"LABEL_{number}" for number in range(1001)},
    "image_size": 224,
    "initializer_range": 0.02,
    "layer_norm_eps": 0.001,
    "min_depth": 8,
    "model_type": "mobilenet_v2",
    "num_channels": 3,
    "output_stride": 32,
    "tf_padding": True,
}

EVERY_EXPANDS: Final = "t1c16_auto/t6c24n2s2/t6c32n3s2/t6c64n4s2/t6c96n3/t6c160n3s2/t6c320"

_IDENTITY: Final = {"name": "IdentityLayer", "use_bn": False, "act_func": None}
_CONV: Final[Mapping[str, Any]] = {
    "name": "ConvLayer",
    "kernel_size": 3,
    "stride": 2,
    "dilation": 1,
    "groups": 1,
    "bias": False,
    "has_shuffle": False,
    "in_channels": 3,
    "out_channels": 16,
    "use_bn": True,
    "act_func": "relu6",
    "dropout_rate": 0,
    "ops_order": "weight_bn_act",
}


def _block(in_: int, out: int, kernel: int, stride: int, expand: int) -> dict[str, Any]:
    return {
        "name": "MobileInvertedResidualBlock",
        "mobile_inverted_conv": {
            "name": "MBInvertedConvLayer",
            "in_channels": in_,
            "out_channels": out,
            "kernel_size": kernel,
            "stride": stride,
            "expand_ratio": expand,
            "mid_channels": None if expand == 1 else in_ * expand,
            "act_func": "relu6",
            "use_se": False,
        },
        "shortcut": _IDENTITY if (stride, in_) == (1, out) else None,
    }


def _linear(in_: int, out: int) -> dict[str, Any]:
    return {
        "name": "LinearLayer",
        "in_features": in_,
        "out_features": out,
        "bias": True,
        "use_bn": False,
        "act_func": None,
        "dropout_rate": 0,
        "ops_order": "weight_bn_act",
    }


MCUNET_256KB: Final[Mapping[str, Any]] = {
    # mcunet-256kb-1mb_imagenet.json of MCUNet's model zoo
    "name": "ProxylessNASNets",
    "bn": {"momentum": 0.1, "eps": 1e-05, "ws_eps": None},
    "first_conv": _CONV,
    "blocks": [
        _block(*row)
        for row in (
            *((16, 8, 3, 1, 1), (8, 16, 5, 2, 3), (16, 16, 7, 1, 6), (16, 16, 3, 1, 5)),
            *((16, 16, 5, 1, 5), (16, 24, 3, 2, 5), (24, 24, 7, 1, 6), (24, 24, 5, 1, 6)),
            *((24, 40, 7, 2, 4), (40, 40, 5, 1, 5), (40, 48, 3, 1, 5), (48, 48, 5, 1, 5)),
            *((48, 48, 3, 1, 4), (48, 96, 5, 2, 6), (96, 96, 5, 1, 4), (96, 96, 5, 1, 3)),
            *((96, 96, 3, 1, 4), (96, 160, 5, 1, 5)),
        )
    ],
    "feature_mix_layer": None,
    "classifier": _linear(160, 1000),
    "resolution": 160,
}

MMPRETRAIN: Final = """\
# configs/_base_/models/mobilenet_v2_1x.py of MMPretrain
model = dict(
    type='ImageClassifier',
    backbone=dict(type='MobileNetV2', widen_factor=1.0),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=1280,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5),
    ))
"""

BACKBONE: Final = '''
class MobileNetV2(BaseBackbone):
    """MMPretrain's models/backbones/mobilenet_v2.py."""

    # Parameters to build layers: expand_ratio, channel, num_blocks, stride.
    arch_settings = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2],
                     [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2],
                     [6, 320, 1, 1]]
'''


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Request]:
    def read_content(content: object, name: str = "a.file", inline: str = "") -> Request:
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / name).write_text(text, "utf-8")
        return read_request(f"{tmp_path / name}{inline}")

    return read_content


def params_and_macs(request: Request) -> tuple[int, int]:
    totals = plan_of(request.spec, request.input).totals
    return totals.params, totals.macs


def hows(request: Request) -> dict[str, How]:
    assert request.origin is not None
    return {field.key: field.how for field in request.origin.fields}


@pytest.mark.parametrize(
    ("width", "size", "preset", "macs"),
    [  # tests/reference/presets.csv: measured on transformers
        (1.0, 224, "100_224", 300_775_552),
        (0.75, 160, "075_160", 107_296_480),
        (0.35, 96, "035_96", 11_935_408),
        (1.4, 224, "140_224", 582_197_616),
    ],
)
def test_googles_networks_are_the_presets(
    read: Callable[..., Request], width: float, size: int, preset: str, macs: int
) -> None:
    config = {**GOOGLE, "depth_multiplier": width, "image_size": size}
    request, known = read(config), read_request(f"hf_{preset}")
    assert (request.spec, request.input) == (known.spec, known.input)
    assert request.origin is not None
    assert request.origin.what == "Hugging Face configuration"
    assert set(hows(request).values()) == {How.READ}
    assert params_and_macs(request)[1] == macs


def test_what_hugging_faces_file_leaves_out_is_assumed(read: Callable[..., Request]) -> None:
    request = read({"model_type": "mobilenet_v2", "depth_multiplier": 0.5}, inline=":act=relu")
    known = {"padding": "same", "norm_eps": 0.001, "dropout": 0.8}
    spec = NetworkSpec.model_validate({**known, "width_mult": 0.5, "classes": 2, "act": "relu"})
    assert request.spec == spec
    assert hows(request) == {
        **dict.fromkeys(("in", "size", "round_nearest", "expand", "norm_eps"), How.ASSUMED),
        **dict.fromkeys(("output_stride", "dropout", "classes", "padding"), How.ASSUMED),
        "width_mult": How.READ,
    }


@pytest.mark.parametrize(
    ("changes", "expected", "key", "how"),
    [
        ({"tf_padding": False}, {"padding": "torch"}, "padding", How.READ),
        ({"layer_norm_eps": 1e-5}, {"norm_eps": 1e-5}, "norm_eps", How.READ),
        ({"first_layer_is_expansion": False}, {"expansion": "always"}, "expand", How.READ),
        (
            {"expand_ratio": 1},
            {"stages": EVERY_EXPANDS, "expand": 1, "expansion": "always"},
            "expand",
            How.READ,
        ),
        ({"finegrained_output": False}, {"head_scaling": "scaled"}, "act", How.READ),
        ({"num_labels": 5}, {}, "classes", How.CONTRADICTED),
        ({"id2label": None, "num_labels": 5}, {"classes": 5}, "classes", How.READ),
        ({"architectures": None}, {}, "classes", How.READ),
        ({"architectures": ["MobileNetV2Model"]}, {"classes": 0}, "classes", How.ASSUMED),
        ({"expand_ratio": 4}, {"expand": 4}, "expand", How.READ),
        ({"output_stride": 16}, {"output_stride": 16}, "output_stride", How.READ),
        ({"hidden_act": "swish"}, {"act": "silu"}, "act", How.READ),
    ],
)
def test_each_field_of_hugging_face(
    read: Callable[..., Request],
    changes: dict[str, Any],
    expected: dict[str, Any],
    key: str,
    how: How | None,
) -> None:
    request = read({**GOOGLE, **changes})
    wanted = read_request("hf_100_224", [Setting(*one, "") for one in expected.items()])
    assert request.spec == wanted.spec
    assert hows(request).get(key) is how


@pytest.mark.parametrize(
    ("changes", "params"),
    [  # parameters of transformers 5.24.0's MobileNetV2ForImageClassification
        ({"depth_multiplier": 0.1, "min_depth": 16}, 128_458),
        ({"depth_multiplier": 0.62, "depth_divisible_by": 1, "min_depth": 1}, 990_198),
        ({"depth_multiplier": 0.35, "min_depth": 32}, 504_042),
        ({"depth_multiplier": 1.07, "depth_divisible_by": 4}, 2_582_474),
        (
            {"depth_multiplier": 0.5, "min_depth": 32, "finegrained_output": False}
            | {"expand_ratio": 4},
            475_338,
        ),
    ],
)
def test_channels_follow_the_rule_of_hugging_face(
    read: Callable[..., Request], changes: dict[str, Any], params: int
) -> None:
    request = read({**GOOGLE, "id2label": None, "num_labels": 10, **changes})
    assert params_and_macs(request)[0] == params


def test_mcunets_network_has_the_figures_of_its_model_zoo(read: Callable[..., Request]) -> None:
    """MCUNet's README: 67.3M MACs, 0.73M parameters."""
    request = read(MCUNET_256KB)
    assert params_and_macs(request) == (729_392, 67_287_200)
    assert request.input.size == (160, 160)
    assert set(hows(request).values()) == {How.READ}


def test_channels_are_not_rounded(read: Callable[..., Request]) -> None:
    rows = ((12, 20, 3, 2, 3), (20, 20, 5, 1, 3), (20, 36, 3, 1, 4))
    network = {
        "first_conv": {**_CONV, "out_channels": 12},
        "blocks": [_block(*row) for row in rows],
        "classifier": _linear(36, 2),
    }
    spec = read(network).spec
    assert isinstance(spec, NetworkSpec)
    assert spec.stem_channels == 12
    assert rows == tuple(
        (one.in_channels, one.out_channels, one.kernel, one.stride, one.expand)
        for one in spec.blocks
    )


def test_blocks_of_a_zero_layer_are_left_out(read: Callable[..., Request]) -> None:
    zero = {**_block(16, 16, 3, 1, 6), "mobile_inverted_conv": {"name": "ZeroLayer"}}
    first, *blocks = MCUNET_256KB["blocks"]
    network = {**MCUNET_256KB, "blocks": [first, zero, *blocks]}
    assert read(network).spec == read(MCUNET_256KB).spec


def test_channels_of_once_for_all_stay_as_they_are(read: Callable[..., Request]) -> None:
    """A number of hidden channels need not be a multiple of 8, where every other one is."""
    (first, *blocks) = (_block(*row) for row in ((16, 8, 3, 1, 1), (8, 16, 3, 2, 6)))
    blocks[-1]["mobile_inverted_conv"]["mid_channels"] = 100
    spec = read({**MCUNET_256KB, "blocks": [first, *blocks], "classifier": _linear(16, 8)}).spec
    assert isinstance(spec, NetworkSpec)
    assert [block.hidden_channels for block in spec.blocks] == [16, 100]


def test_a_network_of_once_for_all_without_bn_has_the_epsilon_of_its_code(
    read: Callable[..., Request],
) -> None:
    """`build_from_config`: ``net.set_bn_param(momentum=0.1, eps=1e-3)``."""
    request = read({key: value for key, value in MCUNET_256KB.items() if key != "bn"})
    assert request.spec.norm_eps == 1e-3
    assert hows(request)["norm_eps"] is How.ASSUMED
    assert hows(read(MCUNET_256KB))["norm_eps"] is How.READ


def test_once_for_alls_mobilenet_v3_has_its_figures(read: Callable[..., Request]) -> None:
    """MobileNetV3-Large in ``ofa/imagenet_classification/networks/mobilenet_v3.py``."""
    squeezed = {"act_func": "h_swish", "use_se": True}
    rows: list[Any] = [(16, 16, 3, 1, 1, {}), (16, 24, 3, 2, 4, {}), (24, 40, 5, 2, 3, squeezed)]
    blocks = []
    for *row, more in rows:
        block = _block(*row)
        block["mobile_inverted_conv"] |= more
        blocks.append(block)
    blocks[0]["shortcut"] = None
    pointwise = {**_CONV, "kernel_size": 1, "stride": 1, "act_func": "h_swish"}
    network = {
        "name": "MobileNetV3",
        "bn": {"momentum": 0.1, "eps": 1e-3},
        "first_conv": {**_CONV, "act_func": "h_swish"},
        "blocks": blocks,
        "final_expand_layer": {**pointwise, "in_channels": 40, "out_channels": 240},
        "feature_mix_layer": {
            **pointwise,
            "in_channels": 240,
            "out_channels": 1280,
            "use_bn": False,
        },
        "classifier": {**_linear(1280, 1000), "bias": False},
    }
    stages = "t1c16_relu6_noskip/t4c24s2_relu6/t3c40s2k5_se0.25"
    known = {"act": "hardswish", "stem": 16, "head": 240, "classifier_hidden": 1280}
    known |= {"classifier_hidden_bias": False, "classifier_bias": False, "norm_eps": 1e-3}
    known |= {"se_of": "hidden", "se_nearest": 8, "se_act": "relu", "se_gate": "hardsigmoid"}
    spec = NetworkSpec.model_validate({**known, "stages": stages, "dropout": 0})
    assert read(network).spec == spec


def test_a_network_of_once_for_all_is_torchvisions(read: Callable[..., Request]) -> None:
    """`ofa/imagenet_classification/networks/proxyless_nets.py: MobileNetV2` with ``conv``."""
    blocks, channels = [], 32
    for stage in NetworkSpec().stages:
        for repeat in range(stage.repeats):
            stride = 1 if repeat else sides_of(stage.stride)[0]
            block = _block(channels, stage.out_channels, 3, stride, int(stage.expand))
            block["conv"] = {**block.pop("mobile_inverted_conv"), "name": "MBConvLayer"}
            blocks.append({**block, "name": "ResidualBlock"})
            channels = stage.out_channels
    mix = {**_CONV, "kernel_size": 1, "stride": 1, "in_channels": 320, "out_channels": 1280}
    network = {
        "name": "ProxylessNASNets",
        "first_conv": {**_CONV, "out_channels": 32, "use_se": False},
        "blocks": blocks,
        "feature_mix_layer": mix,
        "classifier": {**_linear(1280, 1000), "dropout_rate": 0.2},
    }
    request = read(network)
    torchvision = NetworkSpec(norm_eps=1e-3)
    assert request.spec.model_dump(exclude={"stages"}) == torchvision.model_dump(exclude={"stages"})
    assert isinstance(request.spec, NetworkSpec)
    assert request.spec.blocks == torchvision.blocks
    assert hows(request)["size"] is How.ASSUMED


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (MMPRETRAIN, "torchvision:dropout=0"),
        (MMPRETRAIN.replace("1.0", "0.5", 1), "torchvision:dropout=0,width_mult=0.5"),
        (
            "widen = 1.4\n" + MMPRETRAIN.replace("widen_factor=1.0", "widen_factor=widen"),
            "torchvision:dropout=0,width_mult=1.4",
        ),
        (MMPRETRAIN.replace("LinearClsHead", "FomoHead"), "network:classes=0"),
        ("dict(type='MobileNetV2', out_indices=(7,))", "network:classes=0"),
        # conv2 of MMPretrain has int(1280 × widen_factor) channels, which are not rounded
        (
            "model = {'backbone': {'type': 'mmcls.MobileNetV2', 'widen_factor': 1.01}}",
            "network:classes=0,width_mult=1.01,head=1292,head_scaling=fixed",
        ),
        (
            "dict(type=MobileNetV2, act_cfg=dict(type='LeakyReLU'))",
            "network:classes=0,act=leaky_relu",
        ),
        (BACKBONE, "network"),
        ("[[1, 16, 1, 1], [6, 24, 2, 2]]", "network:stages=t1c16/t6c24n2s2"),
        ("self.cfgs = [(1, 8, 1, 1)]", "network:stages=t1c8"),
        ("def f():\n    inverted_residual_setting: list = [[1, 8, 1, 1]]", "network:stages=t1c8"),
    ],
)
def test_python_text(read: Callable[..., Request], text: str, target: str) -> None:
    request = read(text)
    assert request.spec == read_request(target).spec
    assert hows(request)["size"] is How.ASSUMED


def _changed(content: Mapping[str, Any], path: str, /, value: object) -> str:
    """Return the JSON of a document with another value at ``blocks.2.shortcut``."""
    document = copy.deepcopy(dict(content))
    *above, last = [int(key) if key.isdecimal() else key for key in path.split(".")]
    table: Any = document
    for key in above:
        table = table[key]
    table[last] = value
    return json.dumps(document)


_CONV_2: Final = "blocks.2.mobile_inverted_conv"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_changed(GOOGLE, "model_type", "resnet"), "model_type is 'resnet'; mbv2 reads mobilenet"),
        (_changed(GOOGLE, "depth_multiplier", 0), "depth_multiplier must be a number above 0"),
        (_changed(GOOGLE, "depth_multiplier", [[1]]), "depth_multiplier must be a number above"),
        (_changed(GOOGLE, "image_size", "big"), "image_size must be a side or HEIGHTxWIDTH"),
        (_changed(GOOGLE, "hidden_act", "mish"), "hidden_act must be one of relu, relu6"),
        (_changed(GOOGLE, "output_stride", 12), "output_stride must be one of 8, 16, 32, not 12"),
        (_changed(GOOGLE, "min_depth", "x"), "min_depth must be a whole number from 0"),
        (_changed(GOOGLE, "tf_padding", 1), "tf_padding must be true or false, not 1"),
        (
            _changed(GOOGLE, "architectures", ["MobileNetV2ForSemanticSegmentation"]),
            "architectures must be MobileNetV2ForImageClassification or MobileNetV2Model, not",
        ),
        (_changed(MCUNET_256KB, "name", "ResNet"), "name must be ProxylessNASNets or Mobile"),
        (_changed(MCUNET_256KB, "blocks", 3), "blocks must be a list of up to 1,000 blocks"),
        (_changed(MCUNET_256KB, "blocks", []), "blocks has no block"),
        (_changed(MCUNET_256KB, "blocks.2", 3), "blocks[2] must be a table, not 3"),
        (_changed(MCUNET_256KB, "first_conv", None), "first_conv must be a table, not None"),
        (_changed(MCUNET_256KB, "first_conv.stride", "x"), "first_conv.stride must be a whole nu"),
        (_changed(MCUNET_256KB, "first_conv.num_bits", 8), "first_conv.num_bits is not a field"),
        (
            _changed(MCUNET_256KB, "first_conv.act_func", "tanh"),
            "first_conv.act_func must be one of",
        ),
        (_changed(MCUNET_256KB, f"{_CONV_2}.use_se", 1), "use_se must be true or false, not 1"),
        (_changed(MCUNET_256KB, f"{_CONV_2}.act_func", "tanh"), "blocks[2].act must be one of"),
        (_changed(MCUNET_256KB, f"{_CONV_2}.kernel_size", [3, 3]), "kernel_size must be a whole"),
        (_changed(MCUNET_256KB, f"{_CONV_2}.kernel_size", 4), "blocks[2].kernel must be an odd"),
        (_changed(MCUNET_256KB, f"{_CONV_2}.in_channels", 24), "and 16 channels come in"),
        (_changed(MCUNET_256KB, f"{_CONV_2}.expand_ratio", 1), "is 1 with mid_channels 96 of 16"),
        (_changed(MCUNET_256KB, f"{_CONV_2}.expand_ratio", "6"), "expand_ratio must be a number"),
        (
            _changed(MCUNET_256KB, "blocks.1.shortcut", _IDENTITY),
            "[1].shortcut is IdentityLayer; a",
        ),
        (_changed(MCUNET_256KB, "blocks.2.shortcut", {"name": "ConvLayer"}), "mbv2 has only Iden"),
        (_changed(MCUNET_256KB, "feature_mix_layer", _CONV), "feature_mix_layer.kernel_size is 3"),
        (
            _changed(MCUNET_256KB, "final_expand_layer", _CONV),
            "final_expand_layer.kernel_size is 3",
        ),
        (_changed(MCUNET_256KB, "classifier.bias", 2), "classifier.bias must be true or false"),
        (_changed(MCUNET_256KB, "resolution", 0), "resolution must be a side or HEIGHTxWIDTH"),
        (MMPRETRAIN.replace("1.0", "f()", 1), "widen_factor is not a literal; mbv2 runs no code"),
        (MMPRETRAIN.replace("1.0", "1.0, rep=True", 1), "rep is not a field that mbv2 knows"),
        (MMPRETRAIN.replace("=1000", "=f()"), "num_classes must be a whole number"),
        ("dict(type='MobileNetV2', out_indices=(9,))", "out_indices must be a tuple of numbers"),
        ("dict(type='MobileNetV2', act_cfg=dict(type='Mish'))", "act_cfg must be one of relu"),
        ("dict(type='MobileNetV2', act_cfg=3)", "act_cfg must be a dict with a type"),
        ("dict(type='MobileNetV2', norm_cfg=dict(type='GN'))", "norm_cfg must be BatchNorm"),
        ("dict(type='MobileNetV2', conv_cfg=dict(type='DCN'))", "conv_cfg must be None"),
        (
            "a = dict(type='MobileNetV2')\nb = dict(type='MobileNetV2', widen_factor=2)",
            "2 backbones of type MobileNetV2; keep one",
        ),
        ("arch_settings = 3", "arch_settings must be a list of 1 to 100 rows [t, c, n, s]"),
        ("cfgs = [[1, 8, 1]]", "cfgs[0] must be [t, c, n, s] such as [6, 24, 2, 2], not [1, 8, 1]"),
        ("[[1, 0, 1, 1]]", "list[0].c must be a whole number"),
        ("[[1, 0x" + "f" * 4000 + ", 1, 1]]", "list[0].c must be a whole number"),
        ("a, b = 1", "is text that is not a model; give a report of mbv2 summary"),
        ("x" * 2**18, "is text of more than 128 KiB"),
        ('{"a": 1}', "is JSON that is not a model; give a report of mbv2 summary"),
        ("\0", "is a binary file of no format that mbv2 knows"),
        ("PK\x03\x04", "cannot be read: it ends too early"),
    ],
)
def test_mistakes_name_the_file_and_the_field(
    read: Callable[..., Request], tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(UserError) as error:
        read(text, "a.json")
    assert str(error.value).startswith(str(tmp_path / "a.json"))
    assert words in str(error.value)


def test_python_text_is_not_executed(read: Callable[..., Request], tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    with pytest.raises(UserError, match="not a literal"):
        read(f"dict(type='MobileNetV2', widen_factor=open({str(ran)!r}, 'w').write('1'))")
    assert not ran.exists()


@pytest.mark.parametrize("name", ["net", "a:b.json", "net.pth", "x:y:z"])
def test_a_file_is_a_target_by_its_content(read: Callable[..., Request], name: str) -> None:
    request = read(GOOGLE, name, ":size=96,width_mult=0.5")
    assert request.spec == read_request("hf_100_224:width_mult=0.5").spec
    assert request.input.size == (96, 96)
    assert not {"size", "width_mult"} & hows(request).keys()
    assert Path(request.target.removesuffix(":size=96,width_mult=0.5")) in inputs()


def test_the_names_of_targets_come_before_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("network", "paper"):
        Path(name).write_text("[[1, 8, 1, 1]]")
        assert read_request(name).spec == NetworkSpec()


def test_a_toml_file_starts_from_a_file_in_its_folder(
    read: Callable[..., Request], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(GOOGLE))
    request = read('target = "config.json:size=96"\nwidth_mult = 0.5\n', "net.toml")
    assert request.spec == read_request("hf_100_224:width_mult=0.5").spec
    assert request.input.size == (96, 96)
    assert not {"size", "width_mult"} & hows(request).keys()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("none.json", "there is no file none.json; give the path of one, or a preset"),
        ("none.pth:size=96", "there is no file none.pth"),
        ("folder", "folder is a folder; name a file in it, such as folder/config.json"),
        ("folder.json", "folder.json is a folder; name a file in it, such as"),
        ("net.txt", "there is no regular file net.txt"),
        ("n" * 300, "there is no target"),
        ("n" * 300 + ".json", "File name too long"),
        ("mobilenetv2_100.ra_in2k", "there is no target 'mobilenetv2_100.ra_in2k'"),
    ],
)
def test_a_file_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("folder.json").mkdir()
    Path("net.txt").symlink_to("nowhere")
    with pytest.raises(UserError) as error:
        read_request(target)
    assert words in str(error.value)


@pytest.mark.parametrize(
    "line",
    [
        *("counts {}", "memory {}", "compare {} network", "cliffs {}", "init {}", "identify {}"),
        *("check {} --max-params 9M --no-forward", "sweep {} --size 32,64"),
    ],
)
def test_every_command_takes_a_file(line: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(GOOGLE))
    result = mbv2_here(*line.format("config.json:classes=7").split(), cwd=tmp_path)
    assert (result.code, result.stderr) == (0, "")


def test_a_lock_takes_a_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(GOOGLE))
    (tmp_path / "mbv2.toml").write_text('[case.mine]\ntarget = "config.json"\nmax_params = "4M"\n')
    assert mbv2_here("lock", cwd=tmp_path).code == 0
    assert mbv2_here("check", "--no-forward", cwd=tmp_path).code == 0
    (tmp_path / "config.json").write_text(json.dumps({**GOOGLE, "depth_multiplier": 0.5}))
    result = mbv2_here("check", "--no-forward", cwd=tmp_path)
    assert (result.code, "width_mult" in result.stdout) == (1, True)


@pytest.mark.parametrize("format_name", ["table", "markdown"])
def test_the_summary_says_what_the_file_is(tmp_path: Path, format_name: str) -> None:
    config = {key: value for key, value in GOOGLE.items() if key != "tf_padding"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    line = ("summary", "config.json", "--no-forward", "--format", format_name)
    text = " ".join(mbv2_here(*line, cwd=tmp_path).stdout.replace("\\", "").split())
    assert "Read from config.json: Hugging Face configuration; assumed: padding (not in" in text
    assert "Read from" not in mbv2_here("summary", "network", *line[2:]).stdout


def test_json_has_the_origin_of_each_field(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(GOOGLE))
    line = ("summary", "config.json", "--no-forward", "--format", "json")
    origin = json.loads(mbv2_here(*line, cwd=tmp_path).stdout)["origin"]
    assert (origin["file"], origin["what"]) == ("config.json", "Hugging Face configuration")
    fields = {field.pop("key"): field for field in origin["fields"]}
    assert fields["width_mult"] == {"how": "read", "why": "depth_multiplier"}
    assert fields["padding"] == {"how": "read", "why": "tf_padding"}


def test_no_output_replaces_the_file(tmp_path: Path) -> None:
    text = json.dumps(GOOGLE)
    (tmp_path / "config.json").write_text(text)
    result = mbv2_here(
        "summary", "config.json", "--no-forward", "--output", "config.json", cwd=tmp_path
    )
    assert result.code == 2
    assert (tmp_path / "config.json").read_text() == text
