"""`mbv2 lock`."""

from __future__ import annotations

from mbv2cli.cli.files import write_file
from mbv2cli.cli.options import ConfigFile, Quiet
from mbv2cli.cli.output import write_stdout
from mbv2cli.cli.progress import counted_progress
from mbv2cli.gate.cases import planned_result
from mbv2cli.gate.config import find_config, read_config
from mbv2cli.gate.lock import lock_text
from mbv2cli.shown import shown
from mbv2cli.specs.files import working_folder

HELP = """\
From then on, mbv2 check fails if a figure differs from the lock by more than the tolerance in \
the configuration. Read the diff of the lock before you commit it. Without torch.

  mbv2 lock && git diff mbv2.lock
"""


def lock(*, config_file: ConfigFile = None, quiet: Quiet = False) -> None:
    config = read_config(config_file or find_config(working_folder()))
    results = [planned_result(case) for case in counted_progress(config.cases, "Locking")]
    write_file(lock_text(results), config.lock)
    if not quiet:
        count = len(results)
        name = shown(config.lock.name)
        write_stdout(f"wrote {name}: {count:,} case{'s' if count != 1 else ''}\n")
