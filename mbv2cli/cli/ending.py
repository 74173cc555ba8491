"""The end of the process."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def end(code: int) -> NoReturn:
    """End with ``code``, whatever threads a module of the user's own has left.

    Python would wait for each thread that is no daemon. The standard streams are flushed.
    """
    load = sys.modules.get("mbv2cli.nn.load")
    threads = load.threads_left() if load else ()
    if any(thread.is_alive() and not thread.daemon for thread in threads):
        os._exit(code)
    sys.exit(code)
