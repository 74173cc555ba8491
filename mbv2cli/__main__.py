"""Where `mbv2` and `python -m mbv2cli` start."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mbv2cli.cli import ExitCode
from mbv2cli.cli.imports import collect_rarely, fast_imports


def main() -> None:
    """Run the command line and exit with its code; 130 after Ctrl-C, during imports too."""
    _reopen_closed_streams()
    collect_rarely()
    try:
        with fast_imports():
            from mbv2cli.cli.run import run

        sys.exit(run())
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)


def _reopen_closed_streams() -> None:
    """Discard what is printed to a stream that the caller closed (``>&-``)."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (stays open)
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (stays open)


if __name__ == "__main__":
    main()
