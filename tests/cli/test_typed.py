"""What people type, and what mbv2 says they should type."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec
from mbv2cli.specs.run import InputSpec
from mbv2cli.specs.synonyms import SYNONYMS, nearest_key
from tests.cli.test_bad_input import assert_one_sentence
from tests.process import mbv2_here

MISTYPED = [
    ("block", "try mbv2 summary block\n"),
    ("network", "try mbv2 summary network\n"),
    ("network:size=96 --by stage", "try mbv2 summary network:size=96 --by stage\n"),
    ("net.toml", "try mbv2 summary net.toml\n"),
    ("--in 3 --out 64", "try mbv2 summary --in 3 --out 64\n"),
    ("--size=96", "try mbv2 summary --size=96\n"),
    ("mobilenetv2_100 --size 96", "try mbv2 summary mobilenetv2_100 --size 96\n"),
    ("blok", "did you mean mbv2 summary block?"),
    ("sumary", "did you mean mbv2 summary?"),
    ("zzz", "there is no command 'zzz' (the commands are summary, counts, memory"),
    ("--verson", "mbv2 has no flag --verson (try mbv2 -h); did you mean --version?"),
    ("help swep", "did you mean 'sweep'?"),
    # a flag without its value, a flag with a value too many, an unknown flag
    ("summary --in", "--in needs a value; try mbv2 summary -h"),
    ("memory --size", "--size needs a value; try mbv2 memory -h"),
    ("summary --in --out 64", "--in needs a value, not the flag --out; try mbv2 summary -h"),
    ("summary network --in --out 64", "--in needs a value, not the flag --out"),
    ("summary --force=1", "--force takes no value; try mbv2 summary -h"),
    ("counts --zzz", "mbv2 counts has no flag --zzz (try mbv2 counts -h)\n"),
    ("summary -in 3", "mbv2 summary has no flag -in; write two hyphens: --in"),
    ("summary -x", "mbv2 summary has no flag -x (try mbv2 summary -h)\n"),
    ("summary network extra", "'extra' is one word too many; try mbv2 summary -h"),
    ("summary --clases 7", "(try mbv2 summary -h); did you mean --classes?"),
    ("summary --alpha 0.5", "did you mean --width-mult?"),
    ("sweep --multiplier 0.5", "did you mean --width-mult?"),
    ("check --nc 10", "did you mean --classes?"),
    ("memory --num-classes 10", "did you mean --classes?"),
    ("counts --json", "did you mean --format json?"),
    ("lock --json", "mbv2 lock has no flag --json (try mbv2 lock -h)\n"),
    ("summary --resolution 96", "did you mean --size?"),
    ("summary --img-size 96", "did you mean --size?"),
    ("summary --image-size 96", "did you mean --size?"),
    ("summary --imgsz 96", "did you mean --size?"),
    ("summary --in-channels 3", "did you mean --in?"),
    ("summary --out-channels 3", "did you mean --out?"),
    ("summary --input-shape 3x96x96", "did you mean --size and --in?"),
    ("summary --input-size 96", "did you mean --size and --in?"),
    ("summary --expansion 6", "did you mean --expand?"),
    ("summary --expand-ratio 6", "did you mean --expand?"),
    ("cliffs --rule eager", "did you mean --peak-rule?"),
    ("summary --activation relu", "did you mean --act?"),
    ("summary --kernel-size 5", "did you mean --kernel?"),
    ("summary --width 96", "did you mean --width-mult or --size?"),
    # names that mean something else
    ("summary network --depth-multiplier 0.35", "use --width-mult for the width, --depth-mult for"),
    ("summary network:depth_multiplier=1", "use 'width_mult' for the width, 'depth_mult' for the"),
    ("summary network:depth-multiplier=1", "use 'width_mult' for the width, 'depth_mult' for the"),
    ("check --max-flops 600M", "FLOPs are 2 × MACs: use --max-macs with half of the value"),
    ("check --min-params 1M", "mbv2 check has no flag --min-params (try mbv2 check -h)\n"),
    ("summary --print flops", "print macs; FLOPs are 2 × MACs"),
    ("summary --print params,GFLOPs", "print macs; FLOPs are 2 × MACs"),
    # keys in a target
    ("summary network:alpha=0.5", "did you mean 'width_mult'?"),
    ("sweep network:num_classes=10", "did you mean 'classes'?"),
    ("summary block:in_channels=3", "did you mean 'in'?"),
    ("summary network:input_shape=96", "did you mean 'size' and 'in'?"),
    ("summary network:width-mult=1,width_mult=1", "gives width_mult twice"),
    # a key and a value without a target before them
    ("summary network width_mult=0.5", "write network:width_mult=0.5 or --width-mult 0.5\n"),
    ("summary network:size=96 width-mult=1", "write network:size=96,width-mult=1 or --width-mult"),
    ("memory in=8", "'in=8' is not a TARGET; write --in 8\n"),
    # pasted dashes
    ("summary —in 3", "starts with an em dash (—); write hyphens: --in\n"),
    ("summary –in 3", "starts with an en dash (–); write hyphens: --in\n"),
    ("summary network --size 96 —by stage", "write hyphens: --by\n"),
    ("sweep --sort –macs", "write hyphens: -macs\n"),
    ("—in 3", "write hyphens: --in\n"),
    # values with a space between them
    ("summary --print params macs", "with commas between: --print params,macs\n"),
    ("summary network --print params macs", "with commas between: --print params,macs\n"),
    ("summary --columns name params", "with commas between: --columns name,params\n"),
    ("sweep --pareto peak -macs", "with commas between: --pareto peak,-macs\n"),
]


@pytest.mark.parametrize(("line", "words"), MISTYPED, ids=[line for line, _ in MISTYPED])
def test_mistyped(line: str, words: str, tmp_path: Path) -> None:
    assert_one_sentence(mbv2_here(*line.split(), cwd=tmp_path), words)


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("help", "-h"),
        ("", "-h"),
        ("help sweep", "sweep -h"),
        ("version", "--version"),
        ("-V", "--version"),
        (
            "summary network:width-mult=0.5,round-nearest=4 --no-forward --format csv",
            "summary network --width-mult 0.5 --round-nearest 4 --no-forward --format csv",
        ),
    ],
)
def test_two_ways_to_type_the_same(line: str, same: str) -> None:
    result = mbv2_here(*line.split())
    assert result == mbv2_here(*same.split())
    assert (result.code, result.stderr) == (0, "")
    assert result.stdout


@pytest.mark.parametrize("flag", ["--width", "--width-mul", "--form", "--no-forw", "--depth"])
def test_an_abbreviation_never_runs(flag: str) -> None:
    assert mbv2_here("summary", "network", flag, "1", "--no-forward").code == 2


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("alpha", "did you mean 'width_mult'?"),
        ("width-mult", "did you mean 'width_mult'?"),
        ("num_classes", "did you mean 'classes'?"),
        ("depth_multiplier", "use 'width_mult' for the width, 'depth_mult' for the repeats"),
    ],
)
def test_keys_of_files(key: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text(f"{key} = 1\n")
    (tmp_path / "mbv2.toml").write_text(f'[case.edge]\ntarget = "network"\n{key} = 1\n')
    (tmp_path / "space.toml").write_text(f"{key} = [1, 2]\n")
    for line in ("summary net.toml", "check", "sweep --space space.toml"):
        result = mbv2_here(*line.split(), cwd=tmp_path)
        assert (result.code, result.stdout) == (2, "")
        assert words in result.stderr
    assert "net.toml" in mbv2_here("summary", "net.toml", cwd=tmp_path).stderr


def test_every_synonym_names_keys_of_mbv2() -> None:
    keys = {key for spec in (BlockSpec, NetworkSpec, InputSpec) for key in _keys(spec)}
    for name in SYNONYMS:
        assert name not in keys
        assert nearest_key(name, keys | {"format", "peak_rule"}), name


def _keys(spec: type[BlockSpec | NetworkSpec | InputSpec]) -> set[str]:
    return {field.serialization_alias or name for name, field in spec.model_fields.items()}
