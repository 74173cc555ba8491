"""Check results for a CI service: GitHub's annotations, JUnit XML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mbv2cli.gate.outcomes import CheckReport, Outcome
from mbv2cli.report.check.sentences import (
    closing_lines,
    drift_lines,
    failures,
    removed_text,
    tolerance_text,
    warnings,
)
from mbv2cli.shown import escaped, shown

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def as_github(report: CheckReport) -> str:
    """Return an error or a warning on the line of each case that has one, and closing lines."""
    return "".join(
        f"{line}\n" for line in (*_annotations(report), *map(shown, closing_lines(report)))
    )


def _annotations(report: CheckReport) -> Iterator[str]:
    for outcome in report.outcomes:
        case = outcome.result.case
        for level, sentences in (
            ("error", list(failures(report, outcome))),
            ("warning", list(warnings(report, outcome))),
            ("notice", _tolerated(report, outcome)),
        ):
            if sentences:
                yield _annotation(level, case.name, report.file, case.line, sentences)
    for name in report.removed:
        level = "error" if report.requires_lock else "warning"
        yield _annotation(level, name, report.lock, None, [removed_text(report, name)])


def _tolerated(report: CheckReport, outcome: Outcome) -> list[str]:
    """Return what changed within the tolerance."""
    if outcome.drift is None or not outcome.drift.holds:
        return []
    return [*drift_lines(outcome.drift), tolerance_text(report, outcome.drift)]


def _annotation(
    level: str, name: str, file: Path | None, line: int | None, sentences: list[str]
) -> str:
    properties = {
        "file": None if file is None else escaped(str(file)),
        "line": line,
        "title": shown(f"mbv2: {name}"),
    }
    text = ",".join(
        f"{key}={_property(str(value))}" for key, value in properties.items() if value is not None
    )
    return f"::{level} {text}::" + _data("\n".join(map(shown, sentences)))


def _data(text: str) -> str:
    """Escape as actions/toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def as_junit(report: CheckReport) -> str:
    """Return a test suite ``mbv2 check`` with a test case for each case.

    A case that checks nothing is skipped, and so is a case that only the lock has. What else was
    not checked is in the ``system-out`` of its case.
    """
    from xml.etree.ElementTree import Element, SubElement, indent, tostring

    suites = Element("testsuites")
    suite = SubElement(suites, "testsuite", {"name": "mbv2 check"})
    for outcome in report.outcomes:
        case = _test_case(suite, report, outcome.result.case.name)
        if not outcome.holds:
            _add(case, "failure", list(failures(report, outcome)))
        told = [*warnings(report, outcome), *_tolerated(report, outcome)]
        if told and outcome.checks_nothing:
            SubElement(case, "skipped", {"message": "; ".join(map(shown, told))})
        elif told:
            SubElement(case, "system-out").text = "\n".join(map(shown, told))
    for name in report.removed:
        case, text = _test_case(suite, report, name), removed_text(report, name)
        if report.requires_lock:
            _add(case, "failure", [text])
        else:
            SubElement(case, "skipped", {"message": shown(text)})
    counts = {
        "tests": len(suite),
        "failures": len(suite.findall("*/failure")),
        "errors": 0,
        "skipped": len(suite.findall("*/skipped")),
    }
    for element in (suites, suite):
        element.attrib.update({key: str(count) for key, count in counts.items()})
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode") + "\n"


def _test_case(suite: Element, report: CheckReport, name: str) -> Element:
    from xml.etree.ElementTree import SubElement

    attributes = {"classname": "mbv2.check", "name": shown(name)}
    if report.file is not None:
        attributes["file"] = escaped(str(report.file))
    return SubElement(suite, "testcase", attributes)


def _add(case: Element, tag: str, sentences: list[str]) -> None:
    from xml.etree.ElementTree import SubElement

    lines = list(map(shown, sentences))
    element = SubElement(case, tag, {"type": "check", "message": "; ".join(lines)})
    element.text = "\n".join(lines)
