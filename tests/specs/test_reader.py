from __future__ import annotations

from pathlib import Path

import pytest

from mbv2cli import BlockSpec, InputSpec, NetworkSpec, Stage, UserError
from mbv2cli.specs.reader import Setting, read_request, split_target

TINY = """
in = 1
classes = 2
stages = [
    {t = 1, c = 8},
    {t = 4, c = 16, n = 2, s = 2, kernel = 5, dilation = 2},
]
size = [32, 48]
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_a_file_gives_a_network_of_its_own_stages(tiny: Path) -> None:
    request = read_request(str(tiny))
    assert request.spec == NetworkSpec(
        in_channels=1,
        classes=2,
        stages=(
            Stage(expand=1, out_channels=8),
            Stage(expand=4, out_channels=16, repeats=2, stride=2, kernel=5, dilation=2),
        ),
    )
    assert request.input == InputSpec(size=(32, 48))


def test_flags_win_over_inline_settings_and_those_over_the_file(tiny: Path) -> None:
    request = read_request(
        f"{tiny}:classes=5,width_mult=0.5", [Setting("classes", "7", "--classes")]
    )
    assert isinstance(request.spec, NetworkSpec)
    assert (request.spec.classes, request.spec.width_mult, request.spec.in_channels) == (7, 0.5, 1)


def test_a_file_can_hold_a_block(tmp_path: Path) -> None:
    path = tmp_path / "b.toml"
    path.write_text('target = "block"\nin = 8\nexpand = 2.5\n')
    assert read_request(str(path)).spec == BlockSpec(in_channels=8, expand=2.5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("in = ", "not valid TOML"),
        ("in = " + 5000 * "9", "a number has more digits than Python reads"),
        ("in = " + 5000 * "[", "its values are nested too deep"),
        ("in = [3]", "in must be a whole number"),
        ("size = [3]", "size must be a side or HEIGHTxWIDTH"),
        ('target = "block"\nstages = []', "belongs to a network"),
        ("clases = 3", "did you mean 'classes'"),
        ("stages = [{t = 1, c = 8, m = 3}]", "stages[0].m is not a key"),
        ("stages = [{t = 1}]", "stages[0].c is missing"),
        ("stages = [{expand = 6, out = 24}]", "stages[0].out is not a key; c is (the keys of"),
        ("stages = [{expand = 6, out = 24}]", "stages[0].expand is not a key; t is, and"),
        ("stages = [{t = 6, kernl = 3}]", "stages[0].kernl is not a key of a stage (the keys"),
        ("stages = [{t = 6, kernl = 3}]", "did you mean 'kernel'?"),
        ("stages = [{t = 1, c = 8, kernel = 4}]", "stages[0].kernel must be an odd"),
        ("stages = []", "list of 1 to 100 stages"),
        ("stages = 3", "list of 1 to 100 stages"),
        ("in = true", "whole number from 1 to 65536, not true"),
        ("kernel = 5", "belongs to a block"),
        ("kernel = 5", 'for a block, write the line target = "block" in the file'),
        (
            'target = "block"\nclasses = 5',
            'for a network, write the line target = "network" in the file',
        ),
        ('target = "block:classes=5"', "for a network, write network as the target in the file"),
        ('target = "blok"', "target: there is no target 'blok'; a target is block, network,"),
        ('target = "blok"', "did you mean 'block'"),
        ('target = "paper:widht_mult=2"', "target: paper:widht_mult is not a key of a network"),
        ('target = "paper:width_mult"', "target: 'paper:width_mult' is not TARGET:key=value"),
        ('target = "bad.toml"', "bad.toml leads back to this file; name another file or a preset"),
        ('target = "./bad.toml:in=2"', "leads back to this file"),
    ],
)
def test_mistakes_in_a_file_name_the_file_and_the_key(
    tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        read_request(str(path))
    assert str(path) in str(error.value)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("target", "name", "inline"),
    [
        ("network", "network", None),
        ("network:size=64,act=relu", "network", "size=64,act=relu"),
        ("net.toml", "net.toml", None),
        ("net.toml:", "net.toml", ""),
        ("a:b/net.toml", "a:b/net.toml", None),
        ("a:b/net.toml:size=64", "a:b/net.toml", "size=64"),
        (r"C:\nets\net.toml:width_mult=0.5", r"C:\nets\net.toml", "width_mult=0.5"),
        ("a.toml.d/b.toml:in=1", "a.toml.d/b.toml", "in=1"),
        ("a.toml:d/b.toml:in=1", "a.toml:d/b.toml", "in=1"),
        ("net.tomlx:in=1", "net.tomlx", "in=1"),
    ],
)
def test_a_target_is_split_after_the_file_or_at_the_first_colon(
    target: str, name: str, inline: str | None
) -> None:
    assert split_target(target) == (name, inline)


def test_a_folder_may_have_a_colon_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "nets:old"
    folder.mkdir()
    (folder / "tiny.toml").write_text(TINY)
    assert read_request(f"{folder}/tiny.toml").input == InputSpec(size=(32, 48))
    spec = read_request(f"{folder}/tiny.toml:width_mult=0.5").spec
    assert isinstance(spec, NetworkSpec)
    assert (spec.width_mult, spec.in_channels) == (0.5, 1)


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("MobileNetV2", "torchvision"),
        ("google/mobilenet_v2_0.75_160:classes=3", "hf_075_160:classes=3"),
        ("tiny.toml", "tiny.toml"),
        ("tiny.toml:width_mult=0.5,batch=2", "tiny.toml:width_mult=0.5,batch=2"),
        ("more/other.toml:batch=2", "tiny.toml:in=2,batch=2"),
    ],
)
def test_the_target_of_a_file_is_any_target(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, base: str, expected: str
) -> None:
    """The path of a file is relative to the file that names it."""
    monkeypatch.chdir(tiny.parent)
    (tiny.parent / "more").mkdir()
    (tiny.parent / "more" / "other.toml").write_text('target = "../tiny.toml"\nin = 2\n')
    (tiny.parent / "net.toml").write_text(f'target = "{base}"\nround_nearest = 4\n')
    wanted = read_request(expected, [Setting("round_nearest", 4, "test")])
    monkeypatch.chdir("/")
    found = read_request(str(tiny.parent / "net.toml"))
    assert (found.spec, found.input) == (wanted.spec, wanted.input)


def test_a_file_wins_over_the_inline_settings_of_its_target(tiny: Path) -> None:
    path = tiny.parent / "net.toml"
    path.write_text('target = "tiny.toml:classes=5,in=2"\nclasses = 7\n')
    spec = read_request(str(path)).spec
    assert isinstance(spec, NetworkSpec)
    assert (spec.classes, spec.in_channels) == (7, 2)


def test_files_that_lead_to_each_other_are_refused(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.toml").write_text(f'target = "{other}.toml"\n')
    with pytest.raises(
        UserError, match=r"c\.toml: target: .*a\.toml leads back to this file; name"
    ):
        read_request(str(tmp_path / "a.toml"))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("network:size=224,224", "a comma separates settings, so write size=224x224"),
        ("network:size=96, 128,act=relu", "so write size=96x128"),
        ("network:act=relu,224", "try network:size=160"),
        (
            "network:stages=[[1,16,1,1],[6,24,2,2]]",
            "a list, and a comma separates the settings of a target; write stages=t1c16/t6c24n2s2,",
        ),
        ('network:stages=[{t=6,c=24,s="2x1"}],size=32', "write stages=t1c16/t6c24n2s2, or give"),
        ("network:act=relu,stages=[(1,16,1,1)]", "network:stages=[(1 is the start of a list"),
        ("network:stages={t=6,c=24}", "write stages=t1c16/t6c24n2s2, or give the list in a"),
        ("network:stages=t1c16,t6c24", "write / between stages: stages=t1c16/t6c24"),
        ("network:size=[224,320]", "write size=224x320, or give the list in a TOML file"),
        ("block:stride=(2,1)", "write stride=2x1, or give"),
        ("network:width_mult=[0.5,1]", "target; write one value, such as width_mult=0.5"),
    ],
)
def test_a_comma_inside_a_value_of_a_target_is_told(target: str, words: str) -> None:
    with pytest.raises(UserError) as error:
        read_request(target)
    assert words in str(error.value)


def test_python_code_makes_stages_of_the_names_of_fields() -> None:
    stage = {"expand": 6, "out_channels": 24, "repeats": 2}
    expected = NetworkSpec(stages=(Stage(expand=6, out_channels=24, repeats=2),))
    assert NetworkSpec.model_validate({"stages": [stage]}) == expected
    with pytest.raises(UserError, match=r"stages\[0\].out is not a key"):
        NetworkSpec.model_validate({"stages": [{"t": 6, "out": 24}]})


def test_the_message_of_a_syntax_error_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("in = 3\nclasses = =\n")
    with pytest.raises(UserError, match="line 2"):
        read_request(str(path))
