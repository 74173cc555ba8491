"""Names that other tools use, and the keys of mbv2 that have the same meaning."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from string import Formatter
from typing import Final

_DEPTH_MULTIPLIER: Final = (
    "; TF-slim and Hugging Face call the width multiplier depth_multiplier: "
    "use {width_mult} for the width, {depth_mult} for the repeats"
)
_FILES_OF_INIT: Final = "; mbv2 init writes files for {github} and {pre_commit}"

SYNONYMS: Final[Mapping[tuple[str, ...], str]] = {
    # a block, a network and its stages
    ("{in} or {out}", "{in}"): "channels ch planes",
    ("{in}",): (
        "cin c_in ch_in in_c in_ch in_chan in_channel in_channels in_chans in_filters in_planes "
        "inp inplanes input_channels input_filters input_nc n_channels num_channels"
    ),
    ("{out}", "{c}"): (
        "cout c_out ch_out filters num_filters num_outputs out out_c out_ch out_chan out_channel "
        "out_channels out_chans out_filters out_planes oup outp output_channels output_filters"
    ),
    ("{c}",): "channels o width",
    ("{n}",): "blocks layers num_blocks num_layers r repeat repeats",
    ("{stride}", "{s}"): "s stride strides",
    ("{expand}", "{t}"): (
        "e er exp exp_factor exp_ratio expand expand_factor expand_ratio expand_ratios "
        "expand_rate expansion_factor expansion_rate expansion_ratio expansion_size "
        "ratio t"
    ),
    ("{kernel}", "; each stage has its kernel: write k5 in a stage of {stages}"): (
        "conv_kernel_size dw_kernel_size k kernel kernel_size kernel_sizes kernels ks ksize"
    ),
    ("{dilation}",): "dilation_rate dilations",
    ("{act}",): (
        "act_fn act_func act_layer activation activation_fn activation_function activation_layer "
        "hidden_act hidden_activation non_linearity nonlinearity"
    ),
    ("{stages}",): (
        "arch_def arch_settings block_args inverted_residual_setting inverted_residual_settings "
        "layer_config"
    ),
    ("{width_mult}",): (
        "alpha channel_mult channel_multiplier channels_mult mult multiplier wm width_factor "
        "width_multiplier width_ratio width_scale"
    ),
    ("{width_mult} or {size}",): "width",
    ("{sort} or {pareto}",): "by maximise maximize minimise minimize objective objectives",
    ("{depth_mult}",): "depth_factor depth_scale depth_ratio",
    ("{classes}",): (
        "class_num classes_num n_class n_classes nb_classes nc nclass nclasses num_class "
        "num_classes num_labels n_labels"
    ),
    ("{round_nearest}",): (
        "channel_divisor channels_divisor depth_divisible_by depth_divisor divisible_by divisor "
        "round round_channels_to round_to round_to_nearest width_divisor"
    ),
    ("{output_stride}",): "os outputstride out_stride",
    ("{dropout}",): (
        "classifier_dropout classifier_dropout_prob drop drop_prob drop_rate dropout_p "
        "dropout_prob dropout_rate p_dropout"
    ),
    ("{stem}",): (
        "first_channel first_channels first_filters input_channel stem_channels stem_chs "
        "stem_filters stem_size"
    ),
    ("{head}",): (
        "feature_dim head_channels last_channel last_channels last_conv last_filters num_features "
        "top_channels"
    ),
    ("{stem_scaling}",): "fix_stem",
    ("{head_scaling}",): "finegrain_classification_mode finegrained_output fix_head",
    ("{stem_scaling} and {head_scaling}",): "fix_stem_head",
    ("{se}",): (
        "has_se se_rate se_ratio squeeze squeeze_excitation squeeze_excite squeeze_ratio use_se "
        "with_se"
    ),
    ("{se_act}",): "se_act_fn se_act_layer se_activation squeeze_act",
    ("{se_gate}",): "gate gate_fn gate_layer scale_activation se_gate_layer se_scale",
    ("{se_nearest}",): "rd_divisor se_divisor se_round",
    ("{shortcut}",): (
        "id_skip identity residual shortcuts skip skip_connection skip_connections use_res_connect "
        "use_residual use_shortcut use_skip"
    ),
    ("{shortcut:none}",): "no_residual no_shortcut no_skip noskip",
    ("{type}",): "block_type conv_type layer_type",
    ("{type:fused}",): "fused fused_mbconv use_fused",
    ("{padding}",): "pad pad_mode pad_type padding_mode padding_type",
    ("{padding:same}",): "pad_same same_padding tf_padding",
    ("{norm_eps}",): (
        "batch_norm_eps batch_norm_epsilon batchnorm_epsilon bn_eps bn_epsilon eps epsilon "
        "layer_norm_eps norm_epsilon"
    ),
    ("{stem_stride}",): "first_stride initial_stride stem_s",
    ("{classifier_hidden}",): "classifier_channels classifier_features head_hidden hidden_features",
    ("{classifier_bias}",): "fc_bias linear_bias",
    ("{until}",): "cut cutoff end_layer features_only last_layer out_indices stop stop_at truncate",
    # its input, and its run
    ("{size}",): (
        "crop_size height image_dim image_res image_resolution image_size imagesize img_dim "
        "img_size imgsize imgsz input_res input_resolution px res resolution spatial_size"
    ),
    ("{size} and {in}", "{size}"): "input input_dim input_dims input_shape input_size",
    ("{batch}",): "b batch_dim batch_size batchsize bs minibatch n_batch num_batch",
    ("{device}",): "accelerator dev",
    ("{device:cuda}",): "cuda gpu",
    ("{device:cpu}",): "cpu no_cuda no_gpu",
    ("{device:mps}",): "mps",
    ("{dtype}",): "data_type dtypes element_type precision torch_dtype",
    ("{dtype:float16}",): "f16 float16 fp16 half",
    ("{dtype:bfloat16}",): "bf16 bfloat16",
    ("{dtype:float32}",): "f32 float float32 fp32",
    ("{dtype:int8}",): "int8 quantised quantized",
    ("{seed}",): "manual_seed random_seed random_state rng_seed",
    # limits
    ("{max_params}",): "max_param max_parameters max_weights",
    ("{max_macs}",): "max_mac max_madds max_mult_adds max_multadds",
    ("{max_peak}",): (
        "max_activation_memory max_mem max_memory max_peak_memory max_ram max_sram mem memory ram "
        "sram"
    ),
    ("{max_flash}",): "flash max_model_size max_rom model_size rom",
    ("{peak_rule}",): "memory_rule rule",
    # flags that are not keys of a model
    ("{by}",): "group group_by groupby level max_depth per",
    ("{by:layer}",): "print_per_layer_stat per_layer",
    ("{columns}",): "col col_names cols column row_settings",
    ("{config}", "{stages}"): "cfg",
    ("{config}",): "config_file configuration",
    ("{convention}",): "counter",
    ("{format}",): "fmt output_format",
    ("{jobs}",): (
        "j n_jobs n_proc n_threads num_processes num_threads num_workers nproc nthreads processes "
        "threads workers"
    ),
    ("{pareto}",): "frontier pareto_front",
    ("{quiet}",): "silent",
    ("{sample}",): "n_samples num_samples samples",
    ("{sort}",): "order order_by rank_by sort_by",
    ("{top}",): "limit top_k topk",
    ("{where}",): "condition filter",
    # names that mean something else, or a part of it
    (_DEPTH_MULTIPLIER,): "depth_multiplier",
    ("; use {by} to choose the rows, {depth_mult} for the repeats", "{depth_mult}"): "depth",
    ("; FLOPs are 2 × MACs: use {max_macs} with half of the value",): (
        "flops max_flop max_flops max_gflops max_mflops"
    ),
    ("; dropout is 1 - the probability to keep: use {dropout}",): "dropout_keep_prob keep_prob",
    ("{hidden}", "; hidden channels are in × expand: use {expand}"): (
        "exp_channels exp_size expanded_channels expand_size hidden hidden_channels hidden_dim "
        "mid_channels mid_chs"
    ),
    ("; se is 1 ÷ that number: use {se}",): (
        "reduction se_reduction squeeze_factor squeeze_reduction"
    ),
    ("; {classes:0} leaves out the classifier",): "base_only include_top no_classifier no_top",
    ("; use {output} for the shape of the output, {features} for feature maps",): (
        "expect expect_shape expected expected_output expected_shape"
    ),
    (f"{_FILES_OF_INIT}; mbv2 help ci shows a job for GitLab",): "gitlab gitlab_ci",
    (f"{_FILES_OF_INIT}; other services run mbv2 check",): (
        "azure bitbucket buildkite ci circle circle_ci circleci drone forgejo gitea jenkins "
        "travis travis_ci woodpecker"
    ),
    ("{github}",): "actions gh gha github_action github_actions github_workflow workflow",
    ("{pre_commit}",): "hook hooks precommit pre_commit_hook",
    ("; set NO_COLOR=1 in the environment",): "no_color no_colour nocolor monochrome",
    ("; set FORCE_COLOR=1 in the environment",): "color colors colour colours force_color",
    ("; set MBV2_DEBUG=1 in the environment",): "debug traceback",
}
"""By names in other tools: what to write instead, the first whose keys all are valid.

That is ``{key}``, ``{key:value}`` or, after a semicolon, a sentence.
"""

_NEAR: Final = 0.75
"""The least similarity of a misspelled key."""


def quoted(key: str, value: str) -> str:
    """Return a key in quotes, with its value if there is one, as a file has them."""
    if not value:
        return f"'{key}'"
    return f"'{key} = {value}'" if value.isdecimal() else f"'{key} = \"{value}\"'"


def nearest_key(
    name: str, valid: Iterable[str], written: Callable[[str, str], str] = quoted
) -> str:
    """Return the end of a sentence that names the key to use for ``name``, or ``""``.

    That is a key with the same meaning or, if there is none, a key with nearly the same spelling.
    ``written`` returns a key and its value, "" for none, as the user writes them.
    """
    name = name.lower().replace("-", "_")
    valid = set(valid)
    if template := _template(name, valid):
        hint = "".join(
            text + (written(key, value or "") if key else "")
            for text, key, value, _ in Formatter().parse(template)
        )
        return hint if hint.startswith(";") else f"; did you mean {hint}?"
    similar = {key for key in valid if _bound(key) == _bound(name)}
    matches = difflib.get_close_matches(name, sorted(similar), n=1, cutoff=_NEAR)
    return f"; did you mean {written(matches[0], '')}?" if matches else ""


def same_key(name: str, valid: Iterable[str]) -> str | None:
    """Return the valid key with the meaning of ``name``; None if there is not exactly one."""
    template = _template(name, set(valid)) or ""
    keys = _keys(template)
    return keys[0] if template in {f"{{{key}}}" for key in keys} else None


def _template(name: str, valid: set[str]) -> str | None:
    """Return what to write instead of ``name``: the first template whose keys are all valid."""
    return next((one for one in _templates().get(name, ()) if valid.issuperset(_keys(one))), None)


def _keys(template: str) -> list[str]:
    return [key for _, key, _, _ in Formatter().parse(template) if key]


@cache
def _templates() -> Mapping[str, tuple[str, ...]]:
    """Return the templates of each name."""
    found: dict[str, tuple[str, ...]] = {}
    for templates, names in SYNONYMS.items():
        for name in names.split():
            found[name] = (*found.get(name, ()), *templates)
    return found


def _bound(key: str) -> str:
    """Return ``max_`` or ``min_`` of a limit, so that no guess turns one into the other."""
    return key[:4] if key.startswith(("max_", "min_")) else ""
