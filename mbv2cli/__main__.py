"""Where `mbv2` and `python -m mbv2cli` start."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code; 130 after Ctrl-C, during imports too."""
    try:
        from mbv2cli.cli.run import run

        sys.exit(run())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
