"""Where `mbv2` and `python -m mbv2cli` start."""

import sys

try:
    from mbv2cli.cli import ExitCode
    from mbv2cli.cli.signals import end_at_ctrl_c
except KeyboardInterrupt:
    sys.exit(130)


def main() -> None:
    """Run the command line and exit with its code; 130 after Ctrl-C, during imports too."""
    end_at_ctrl_c()
    from mbv2cli.cli.imports import collect_rarely

    collect_rarely()
    from mbv2cli.cli.ending import end
    from mbv2cli.cli.streams import flushed, open_closed_streams

    open_closed_streams()
    try:
        from mbv2cli.cli.run import run

        code = run()
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    end(flushed(code))


if __name__ == "__main__":
    main()
