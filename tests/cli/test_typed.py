"""What people type, and what mbv2 says they should type."""

from __future__ import annotations

from pathlib import Path

import pytest

from mbv2cli.gate.limits import Expectations
from mbv2cli.search.query import SearchOptions
from mbv2cli.specs.base import keys
from mbv2cli.specs.block import BlockSpec
from mbv2cli.specs.network import NetworkSpec, Stage
from mbv2cli.specs.run import InputSpec, RunSpec
from mbv2cli.specs.synonyms import SYNONYMS, nearest_key
from tests.cli.test_bad_input import assert_one_sentence
from tests.process import mbv2_here

MISTYPED = [
    ("block", "try mbv2 summary block\n"),
    ("sweep network --by macs", "did you mean --sort or --pareto?"),
    ("network", "try mbv2 summary network\n"),
    ("network:size=96 --by stage", "try mbv2 summary network:size=96 --by stage\n"),
    ("net.toml", "try mbv2 summary net.toml\n"),
    ("--in 3 --out 64", "try mbv2 summary --in 3 --out 64\n"),
    ("--size=96", "try mbv2 summary --size=96\n"),
    ("mobilenetv2_100 --size 96", "try mbv2 summary mobilenetv2_100 --size 96\n"),
    ("blok", "did you mean mbv2 summary block?"),
    ("SUMMARY", "did you mean mbv2 summary?"),
    ("sweep --where MACS<60M", "there is no figure 'MACS'"),
    ("sumary", "did you mean mbv2 summary?"),
    ("zzz", "there is no command 'zzz' (the commands are summary, explain, draw, counts, memory"),
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
    ("summary --expansion 6", "one of auto, always, not '6'; for the expand ratio, write expand"),
    ("summary --se-ratio 0.25", "did you mean --se?"),
    ("summary --squeeze-factor 4", "se is 1 ÷ that number: use --se\n"),
    ("summary --noskip", "did you mean --shortcut none?"),
    ("summary --use-res-connect false", "did you mean --shortcut?"),
    ("summary network --pad-type same", "did you mean --padding?"),
    ("summary network --bn-eps 1e-3", "did you mean --norm-eps?"),
    ("summary network --out-indices 7", "did you mean --until?"),
    ("summary network:tf_padding=true", "did you mean 'padding = "),
    ("summary --expand-ratio 6", "did you mean --expand?"),
    (
        "cliffs --width-mult 1",
        "--width-mult does nothing: mbv2 cliffs tries every width",
    ),
    ("cliffs network:width_mult=1", "network:width_mult does nothing: mbv2 cliffs tries every"),
    ("cliffs --kernel 5", "each stage has its kernel: write k5 in a stage of --stages\n"),
    ("cliffs --rule eager", "did you mean --peak-rule?"),
    ("summary --activation relu", "did you mean --act?"),
    ("summary --kernel-size 5", "did you mean --kernel?"),
    ("summary --width 96", "did you mean --width-mult or --size?"),
    # torchvision, timm, TF-slim, Keras, Hugging Face
    *((f"summary --{name} 6", "did you mean --expand?") for name in ("ratio", "t", "exp", "e")),
    ("summary -t 6", "did you mean --expand?"),
    ("summary --norm-layer batch", "mbv2 summary has no flag --norm-layer (try mbv2 summary -h)\n"),
    ("summary --inverted-residual-setting x", "did you mean --stages?"),
    ("summary --last-channel 1280", "did you mean --head?"),
    ("summary --inp 3", "did you mean --in?"),
    ("summary --oup 3", "did you mean --out?"),
    ("summary --in-chans 3", "did you mean --in?"),
    ("summary --drop-rate 0.1", "did you mean --dropout?"),
    ("summary --act-layer relu", "did you mean --act?"),
    ("summary --hidden-act relu", "did you mean --act?"),
    ("summary --nonlinearity relu", "did you mean --act?"),
    ("summary --divisor 8", "did you mean --round-nearest?"),
    ("summary --depth-divisible-by 8", "did you mean --round-nearest?"),
    ("summary --round-channels-to 8", "did you mean --round-nearest?"),
    ("summary --num-labels 8", "did you mean --classes?"),
    ("summary --include-top False", "--classes 0 leaves out the classifier"),
    ("summary --dropout-keep-prob 0.8", "1 - the probability to keep: use --dropout\n"),
    ("summary --hidden-dim 144", "did you mean --hidden?"),
    ("summary network --hidden 144", "--hidden belongs to a block, not to a network"),
    ("summary --finegrained-output 1", "did you mean --head-scaling?"),
    ("summary --ks 5", "did you mean --kernel?"),
    ("summary -k 5", "did you mean --kernel?"),
    ("summary -s 2", "did you mean --stride?"),
    ("summary -bs 4", "did you mean --batch?"),
    ("summary --os 16", "did you mean --output-stride?"),
    ("compare block block --input-size 96", "did you mean --size?"),
    ("summary --height 96", "did you mean --size?"),
    # torchinfo, ptflops, fvcore
    ("summary --col-names x", "did you mean --columns?"),
    ("summary --row-settings x", "did you mean --columns?"),
    ("summary --depth 3", "use --by to choose the rows, --depth-mult for the repeats\n"),
    ("compare a b --max-depth 3", "did you mean --by?"),
    ("summary --print-per-layer-stat", "did you mean --by layer?"),
    ("summary --verbose 1", "mbv2 summary has no flag --verbose (try mbv2 summary -h)\n"),
    ("summary --as-strings", "mbv2 summary has no flag --as-strings (try mbv2 summary -h)\n"),
    # the run and the output
    ("summary --gpu", "did you mean --device cuda?"),
    ("summary --cuda", "did you mean --device cuda?"),
    ("memory --cuda", "mbv2 memory has no flag --cuda (try mbv2 memory -h)\n"),
    ("summary --fp16", "did you mean --dtype float16?"),
    ("cliffs --half", "did you mean --dtype float16?"),
    ("sweep --int8", "did you mean --dtype int8?"),
    ("compare a b --int8", "mbv2 compare has no flag --int8 (try mbv2 compare -h)\n"),
    ("sweep --threads 4", "did you mean --jobs?"),
    ("summary --threads 4", "mbv2 summary has no flag --threads (try mbv2 summary -h)\n"),
    ("summary --csv", "did you mean --format csv?"),
    ("memory --csv", "mbv2 memory has no flag --csv (try mbv2 memory -h)\n"),
    ("compare a b --md", "did you mean --format markdown?"),
    ("check --markdown", "did you mean --format markdown?"),
    ("check --junit-xml", "did you mean --format junit?"),
    ("check --github", "did you mean --format github?"),
    ("memory -o x", "did you mean --output?"),
    ("memory --outfile x", "did you mean --output?"),
    ("init -o x", "mbv2 init has no flag -o (try mbv2 init -h)\n"),
    ("memory -q", "mbv2 memory has no flag -q (try mbv2 memory -h)\n"),
    ("memory --no-color", "set NO_COLOR=1 in the environment\n"),
    ("check --cfg x", "did you mean --config?"),
    ("check --ram 320KiB", "did you mean --max-peak?"),
    ("presets --max-model-size 1MiB", "did you mean --max-flash?"),
    # services that init has no file for
    ("init --gitlab", "files for --github and --pre-commit; mbv2 help ci shows a job for GitLab\n"),
    ("init --circleci", "files for --github and --pre-commit; other services run mbv2 check\n"),
    ("init --gh", "did you mean --github?"),
    ("init --precommit", "did you mean --pre-commit?"),
    ("summary --gitlab", "mbv2 summary has no flag --gitlab (try mbv2 summary -h)\n"),
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
    (
        "memory network:kernel_size=5",
        "each stage has its kernel: write k5 in a stage of 'stages'\n",
    ),
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


_PLAN = "summary --no-forward"
CSV = ("--no-forward", "--format", "csv")

_SPECS = (BlockSpec, NetworkSpec, Stage, InputSpec, RunSpec, Expectations, SearchOptions)
_FLAGS = "by columns config convention format github pareto pre_commit quiet sort where"
_KEYS = {key for spec in _SPECS for key in keys(spec)} | set(_FLAGS.split())
"""Every key of a specification, and flags that are not such a key."""


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
        # case, dashes and underscores of words do not matter
        (f"{_PLAN} --convention FVCore", f"{_PLAN} --convention fvcore"),
        (f"{_PLAN} --convention Flop_Counter", f"{_PLAN} --convention flop-counter"),
        (f"{_PLAN} --format JSON --act SiLU", f"{_PLAN} --format json --act silu"),
        (f"{_PLAN} --by KIND --columns Name,MACs", f"{_PLAN} --by kind --columns name,macs"),
        (f"{_PLAN} --print Params,weight-BYTES", f"{_PLAN} --print params,weight_bytes"),
        ("memory --dtype Int8", "memory --dtype int8"),
        ("memory network:head_scaling=Fixed", "memory network:head_scaling=fixed"),
        ("cliffs --peak-rule InPlace-Depthwise", "cliffs --peak-rule inplace-depthwise"),
        (
            "presets TORCH --max-peak 3MiB --peak-rule EAGER",
            "presets torch --max-peak 3MiB --peak-rule eager",
        ),
        ("compare block network --by Stage", "compare block network --by stage"),
        (
            "sweep --in 8,16 --sort -MACs --convention THOP --peak-rule Eager",
            "sweep --in 8,16 --sort -macs --convention thop --peak-rule eager",
        ),
        ("sweep --in 8,16 --pareto Peak,-MACS", "sweep --in 8,16 --pareto peak,-macs"),
        (
            "check --max-peak 9GiB --peak-rule Training --no-forward --format GitHub",
            "check --max-peak 9GiB --peak-rule training --no-forward --format github",
        ),
        ("help CI", "help ci"),
        ("help Sweep", "help sweep"),
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
        ("include_top", "'classes = 0' leaves out the classifier"),
        ("drop_rate", "did you mean 'dropout'?"),
        ("last_channel", "did you mean 'head'?"),
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


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("fp16", """did you mean 'dtype = "float16"'?"""),
        ("gpu", """did you mean 'device = "cuda"'?"""),
        ("expect", "use 'output' for the shape of the output, 'features' for feature maps"),
        ("max_ram", "did you mean 'max_peak'?"),
        ("kernel_size", "did you mean 'kernel'?"),
    ],
)
def test_keys_of_cases(key: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text(f"[case.edge]\n{key} = 1\n")
    assert_one_sentence(mbv2_here("check", cwd=tmp_path), words)


def test_words_of_files_are_read_as_words_of_flags(tmp_path: Path) -> None:
    case = """
        [case.edge]
        act = "SiLU"
        device = "CPU"
        dtype = "FP16"
        peak_rule = "InPlace_Depthwise"
        max_peak = "9MiB"
    """
    (tmp_path / "mbv2.toml").write_text(case)
    result = mbv2_here("check", "--no-forward", cwd=tmp_path)
    assert (result.code, result.stderr) == (0, "")
    assert "peak (inplace-depthwise, float16)" in result.stdout


FILES = [
    ("lock mbv2.toml", "is one word too many; for the cases of a file, write --config mbv2.toml\n"),
    ("lock mbv2.lock", "for the cases of a file, write --config mbv2.toml\n"),
    ("lock net.toml", 'for the model of a file, write target = "net.toml" in a case, or check it'),
    ("lock edge", "'edge' is one word too many; try mbv2 lock -h\n"),
    (
        "check mbv2.toml",
        "(the cases are edge); for the cases of a file, write --config mbv2.toml\n",
    ),
    ("check mbv2.lock", "for the cases of a file, write --config mbv2.toml\n"),
    ("check sub/other.toml", "for the cases of a file, write --config sub/other.toml\n"),
    ("check net.toml", "or check it with limits such as --max-params 2M\n"),
    ("check missing.toml", "write --config missing.toml\n"),
    ("check pyproject.toml", "write --config pyproject.toml\n"),
    (
        "summary mbv2.toml",
        "mbv2.toml has cases, so it is not a TARGET; mbv2 check --config mbv2.toml",
    ),
    ("sweep --space mbv2.toml", "mbv2.toml has cases, so it is not a TARGET; mbv2 check --config"),
    ("compare block mbv2.toml", "mbv2.toml has cases, so it is not a TARGET"),
]


@pytest.mark.parametrize(("line", "words"), FILES, ids=[line for line, _ in FILES])
def test_a_file_where_a_case_or_a_model_is_expected(line: str, words: str, tmp_path: Path) -> None:
    cases = '[case.edge]\ntarget = "block"\n'
    (tmp_path / "sub").mkdir()
    for name in ("mbv2.toml", "sub/other.toml"):
        (tmp_path / name).write_text(cases)
    (tmp_path / "net.toml").write_text("width_mult = 0.5\n")
    assert_one_sentence(mbv2_here(*line.split(), cwd=tmp_path), words)


def test_a_file_where_a_case_is_expected_and_no_configuration_is_near(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text("[case.edge]\n")
    words = (
        "'edge.toml' is not the name of a case; for the cases of a file, write --config edge.toml"
    )
    assert_one_sentence(mbv2_here("check", "edge.toml", cwd=tmp_path), words)


def test_a_case_may_have_the_name_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "mbv2.toml").write_text('[case."net.toml"]\nmax_params = "2k"\n')
    assert mbv2_here("check", "net.toml", "--no-forward", cwd=tmp_path).code == 0


STAGES = [
    ("{t=6,out=24}", "--stages[0].out is not a key; c is (the keys of a stage are t, c, n,"),
    ("[{expand=6,c=24}]", "--stages[0].expand is not a key; t is"),
    (
        "{t=6,c=24},{t=6,c=24,k=3,kernel=5}",
        "--stages[1] has k and kernel, which are the same; keep",
    ),
    ("{c=24,out=24}", "--stages[0].out is not a key; c is"),
    (
        "{c=24,strides=2,repeats=3}",
        "[0].strides is not a key; s is, and --stages[0].repeats is not",
    ),
    ("{c=24,zzz=2}", "--stages[0].zzz is not a key of a stage (the keys of a stage are"),
    ("{c=24", "text such as t1c16/t6c24n2s2, not '{c=24'"),
    ("t1c16/e6c24", "--stages[1].e is not a key; t is"),
    ("t6c24_selu", "'selu' is not a word of a stage; the words are se0.25, inverted, fused"),
    ("t6c24_hardswsh", "did you mean 'hardswish'?"),
    ("ir_r2_k3_s2_e6_c24_cc4", "mbv2 has no 'cc4' of timm's notation; it has r, k, s"),
    ("ir_r2_k3_s2_c24", "'ir_r2_k3_s2_c24' lacks its expand ratio, such as e6"),
    ("{c=24,se_ratio=0.25}", "--stages[0].se_ratio is not a key; se is"),
    ("{c=24,mid_channels=72}", "--stages[0].mid_channels is not a key; hidden is"),
    ("paper", "text such as t1c16/t6c24n2s2, not 'paper'"),
    (f"{'a' * 60}!", "text such as t1c16/t6c24n2s2"),
]


@pytest.mark.parametrize(("stages", "words"), STAGES, ids=[stages for stages, _ in STAGES])
@pytest.mark.parametrize("command", ["summary", "sweep"])
def test_keys_of_stages(command: str, stages: str, words: str) -> None:
    assert_one_sentence(mbv2_here(command, "network", "--stages", stages), words)


def test_both_names_of_a_key_of_a_stage_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.toml").write_text("stages = [{c = 16, d = 1, dilation = 2}]\n")
    for line in ("summary net.toml", "sweep --space net.toml"):
        result = mbv2_here(*line.split(), cwd=tmp_path)
        assert_one_sentence(
            result, "stages[0] has d and dilation, which are the same; keep dilation"
        )


def test_stages_may_be_written_as_in_a_file() -> None:
    tables = mbv2_here("summary", "network", "--stages", "[{t=1, c=16}, {c=24, n=2, k=5}]", *CSV)
    assert tables == mbv2_here("summary", "network", "--stages", "t1c16/t6c24n2k5", *CSV)
    assert tables.code == 0


def test_every_synonym_can_be_told() -> None:
    for name in {name for names in SYNONYMS.values() for name in names.split()} - _KEYS:
        assert nearest_key(name, _KEYS), name
