"""JUnit's XML: one suite per file, one failed case per finding; a clean run is one case that passes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from ..finding import Finding
from ..visible import visible_lines

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(findings: Sequence[Finding], sources: Mapping[str, str]) -> str:
    from xml.etree import ElementTree  # it takes a tenth of the time that a run takes to start

    findings = [finding for finding in findings if finding.is_wrong]  # advice and notes are no failed tests
    count = str(len(findings))
    root = ElementTree.Element("testsuites", name="fastlstm lint", tests=str(len(findings) or 1), failures=count)
    for path, group in groupby(findings, key=lambda finding: finding.path):
        here = list(group)
        number = str(len(here))
        suite = ElementTree.SubElement(root, "testsuite", name=_clean(path), tests=number, failures=number, errors="0")
        for finding in here:
            case = ElementTree.SubElement(
                suite, "testcase", name=f"fastlstm.{finding.code}", classname=_clean(path), line=str(finding.start.row)
            )
            where = f"{finding.source_key}:{finding.start.row}:{finding.start.column}"
            failure = ElementTree.SubElement(case, "failure", message=_clean(finding.message), type=finding.code)
            failure.text = _clean(f"{where}: {finding.message}")
    if not findings:
        suite = ElementTree.SubElement(root, "testsuite", name="fastlstm lint", tests="1", failures="0", errors="0")
        ElementTree.SubElement(suite, "testcase", name="no findings", classname="fastlstm")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def _clean(text: str) -> str:
    return NOT_XML.sub("?", visible_lines(text))
