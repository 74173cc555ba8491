"""A comparison as Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from mbv2cli.gate.comparison import Comparison
from mbv2cli.report.amount_text import amount_text
from mbv2cli.report.compare.words import change_text, pair_cells, percent_text
from mbv2cli.report.markdown_text import code
from mbv2cli.report.shape_text import compact


def render(comparison: Comparison) -> str:
    """Return a table of the totals and, folded away, the layers that differ."""
    return "".join(f"{line}\n" for line in _lines(comparison))


def _lines(comparison: Comparison) -> Iterator[str]:
    before, after = (compact(plan.output_shape) for plan in (comparison.before, comparison.after))
    names = map(code, (comparison.before_name, comparison.after_name))
    yield f"| | {' | '.join(names)} | difference | |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    yield f"| output | `{before}` | `{after}` | | |"
    for one in comparison.totals:
        yield (
            f"| {one.what} | {amount_text(one.before, one.unit)} "
            f"| {amount_text(one.after, one.unit)} | {change_text(one)} | {percent_text(one)} |"
        )
    pairs = [pair for pair in comparison.layers if pair.differs]
    if not pairs:
        return
    yield ""
    yield f"<details><summary>{len(pairs)} layers differ</summary>"
    yield ""
    yield "| | path | output shape | params |"
    yield "| --- | --- | --- | --- |"
    for mark, path, shapes, params in map(pair_cells, pairs):
        yield f"| {mark.strip()} | `{path}` | {shapes} | {params} |"
    yield ""
    yield "</details>"
