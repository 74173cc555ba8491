"""Shows how the inputs ended, after `make fuzz`."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.fuzz.test_fuzz import SEED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    codes: dict[str, Counter[int]] = {}
    for report in terminalreporter.stats.get("passed", ()):
        for kind, own in report.user_properties:
            codes.setdefault(kind, Counter()).update(own)
    terminalreporter.write_line(f"the seed of the inputs is {SEED}")
    for kind, own in codes.items():
        shares = (f"exit {code}: {own[code] / own.total():.0%}" for code in sorted(own))
        terminalreporter.write_line(f"{kind}: {own.total():,} inputs, {', '.join(shares)}")
