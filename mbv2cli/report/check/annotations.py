"""Check results for a CI service: GitHub's annotations, JUnit XML."""

from __future__ import annotations

from pathlib import Path

from mbv2cli.gate.drift import Outcome
from mbv2cli.report.check.sentences import CheckReport, closing_line, failures


def as_github(report: CheckReport) -> str:
    """Return an error on the line of each case that fails, and a closing line."""
    failed = (outcome for outcome in report.outcomes if not outcome.holds)
    lines = [_annotation(outcome, report.file) for outcome in failed]
    return "".join(f"{line}\n" for line in (*lines, closing_line(report)))


def _annotation(outcome: Outcome, file: Path | None) -> str:
    case = outcome.result.case
    properties = {
        "file": None if file is None else str(file),
        "line": case.line,
        "title": f"mbv2: {case.name}",
    }
    text = ",".join(
        f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None
    )
    return f"::error {text}::" + _data("\n".join(failures(outcome)))


def _data(text: str) -> str:
    """Escape as actions/toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_junit(report: CheckReport) -> str:
    """Return a test suite ``mbv2 check`` with a test case for each case."""
    from xml.etree.ElementTree import Element, SubElement, indent, tostring

    failed = sum(not outcome.holds for outcome in report.outcomes)
    counts = {"tests": str(len(report.outcomes)), "failures": str(failed), "errors": "0"}
    suites = Element("testsuites", counts)
    suite = SubElement(suites, "testsuite", {"name": "mbv2 check", **counts, "skipped": "0"})
    for outcome in report.outcomes:
        attributes = {"classname": "mbv2.check", "name": outcome.result.case.name}
        if report.file is not None:
            attributes["file"] = str(report.file)
        case = SubElement(suite, "testcase", attributes)
        if not outcome.holds:
            sentences = list(failures(outcome))
            failure = SubElement(
                case, "failure", {"type": "check", "message": "; ".join(sentences)}
            )
            failure.text = "\n".join(sentences)
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"
