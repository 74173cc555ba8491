"""The targets and inputs of modules of one's own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbv2cli.errors import UserError
from mbv2cli.specs.module import (
    ModuleSource,
    TensorSpec,
    module_request,
    module_source,
    read_input,
)
from mbv2cli.specs.reader import Setting


def source(target: str) -> ModuleSource:
    found = module_source(target)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("target", "origin", "attribute", "arguments"),
    [
        ("my_model.py:Net", "my_model.py", "Net", {}),
        ("a/b c/my-model.py:make.net", "a/b c/my-model.py", "make.net", {}),
        (r"C:\models\my.py:Net", r"C:\models\my.py", "Net", {}),
        ("torchvision.models:mobilenet_v2", "torchvision.models", "mobilenet_v2", {}),
        ("pkg:Net:width=0.5,classes=10", "pkg", "Net", {"width": 0.5, "classes": 10}),
        ("m.py:Net:act=relu6,pad=true", "m.py", "Net", {"act": "relu6", "pad": True}),
        ("m.py:Net:a=[1, 2],b='x,y'", "m.py", "Net", {"a": [1, 2], "b": "x,y"}),
        ("m.py:Net:cfg={t = 6, c = [16, 24]}", "m.py", "Net", {"cfg": {"t": 6, "c": [16, 24]}}),
    ],
)
def test_a_target_names_a_module(
    target: str, origin: str, attribute: str, arguments: dict[str, Any]
) -> None:
    found = source(target)
    assert (found.origin, found.attribute, found.arguments) == (origin, attribute, arguments)


@pytest.mark.parametrize(
    "target",
    [
        *(
            "block",
            "network",
            "network:size=96",
            "block:in=3,out=8",
            "net.toml",
            "net.toml:size=96",
        ),
        *(
            "mobilenetv2_035:classes=2",
            "network:Net",
            "keras_100:x",
            "my_model.py",
            ":Net",
            "a:b=1",
        ),
    ],
)
def test_other_targets_name_no_module(target: str) -> None:
    assert module_source(target) is None


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("m.py:Net:0.5", "cannot read '0.5'; try m.py:Net:width=0.5"),
        ("m.py:Net:", "cannot read ''"),
        ("m.py:Net:a=1,a=2", "gives a twice"),
        ("m.py:Net:a=[1", "the value of a must be as in TOML"),
        ("m.py:Net:a=1 b", "the value of a must be as in TOML"),
    ],
)
def test_arguments_that_cannot_be_read(target: str, message: str) -> None:
    with pytest.raises(UserError, match=message.replace("[", r"\[")):
        module_source(target)


@given(
    st.dictionaries(
        st.from_regex("[a-z_][a-z0-9_]{0,8}", fullmatch=True),
        st.one_of(
            st.integers(-(10**9), 10**9),
            st.booleans(),
            st.floats(-1e6, 1e6),
            st.lists(st.integers(0, 99), max_size=3),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_values_are_read_as_they_were_written(arguments: dict[str, Any]) -> None:
    text = ",".join(f"{key}={str(value).lower()}" for key, value in arguments.items())
    assert source(f"m.py:Net:{text}").arguments == arguments


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("1x3x64x64", TensorSpec((1, 3, 64, 64))),
        ("1,3,64,64", TensorSpec((1, 3, 64, 64))),
        ("2x128:int64", TensorSpec((2, 128), "int64")),
        ("7:half", TensorSpec((7,), "float16")),
    ],
)
def test_inputs(text: str, spec: TensorSpec) -> None:
    assert read_input(text) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1x3xx64", "--input must be a shape such as 1x3x224x224"),
        ("0x3", "each number from 1 to 65536, not '0x3'"),
        ("", "not ''"),
        ("1x3:int63", "the element type must be one of .*; did you mean 'int64'?"),
    ],
)
def test_wrong_inputs(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_input(text)


def test_flags_give_the_input_where_no_input_is_given() -> None:
    net = source("m.py:Net")
    assert module_request(net, [], []).inputs == (TensorSpec((1, 3, 224, 224)),)
    flags = [Setting(key, value, f"--{key}") for key, value in (("in", "1"), ("size", "8x9"))]
    assert module_request(net, flags, []).inputs == (TensorSpec((1, 1, 8, 9)),)


def test_flags_that_a_module_does_not_take() -> None:
    net = source("m.py:Net:classes=2")
    with pytest.raises(UserError, match=r"m\.py:Net:classes=2,out=8$"):
        module_request(net, [Setting("out", "8", "--out")], [])
    with pytest.raises(UserError, match="--input and --size exclude each other"):
        module_request(net, [Setting("size", "8", "--size")], ["1x3"])
