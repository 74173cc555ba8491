"""Check results as JUnit XML: a test case for each case."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mbv2cli.gate.drift import Outcome
from mbv2cli.report.check.words import failures


def render(outcomes: Sequence[Outcome], file: Path | None) -> str:
    """Return a suite ``mbv2 check``; a failed case tells all that failed."""
    failed = sum(not outcome.holds for outcome in outcomes)
    counts = {"tests": str(len(outcomes)), "failures": str(failed), "errors": "0"}
    suites = Element("testsuites", counts)
    suite = SubElement(suites, "testsuite", {"name": "mbv2 check", **counts, "skipped": "0"})
    for outcome in outcomes:
        attributes = {"classname": "mbv2.check", "name": outcome.result.case.name}
        if file is not None:
            attributes["file"] = str(file)
        case = SubElement(suite, "testcase", attributes)
        if not outcome.holds:
            sentences = list(failures(outcome))
            failure = SubElement(
                case, "failure", {"type": "check", "message": "; ".join(sentences)}
            )
            failure.text = "\n".join(sentences)
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"
