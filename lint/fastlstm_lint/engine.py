"""From source text to findings: parse, walk, ask the rules, place the findings, apply suppressions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import noqa
from .config import OWN_CODES, Settings
from .finding import Edit, Finding, Fix, Place

if TYPE_CHECKING:
    import libcst as cst

    from .interpreter.machine import Importer
    from .rules.base import Problem, Rule

RECURRENT = re.compile(rb"LSTM|GRU|RNN")
"""A file without these bytes holds nothing for this linter, and is not parsed."""


def relevant(data: bytes) -> bool:
    """Whether a file is worth parsing."""
    return RECURRENT.search(data) is not None or b"reveal_shape" in data


def check_source(
    source: str, path: str, settings: Settings | None = None, importer: Importer | None = None
) -> list[Finding]:
    """The findings in a program's text, in the order of their places.

    Nothing of the program is executed. Text that cannot be parsed gives one FL901, and a failure of the linter itself
    one FL902: this function does not raise.
    """
    settings = settings or Settings()
    if not relevant(source.encode("utf-8", "replace")) or noqa.whole_file_off(source):
        return []
    enabled = settings.enabled_for(path)
    found = _inspect(source, path, enabled, importer)
    comments = noqa.read(source)
    kept = noqa.apply(found, comments)
    if "FL900" in enabled:
        kept += noqa.unused(comments, enabled, path)
    return sorted((each for each in kept if each.code in enabled), key=lambda finding: finding.sort_key)


def _inspect(source: str, path: str, enabled: frozenset[str], importer: Importer | None) -> list[Finding]:
    import libcst as cst

    try:
        module = cst.parse_module(source)
    except cst.ParserSyntaxError as error:
        return [own("FL901", path, f"cannot be parsed: {error.message.strip()}", error.raw_line, error.raw_column + 1)]
    except Exception as error:
        return [own("FL901", path, f"cannot be parsed: {error}")]
    try:
        found = collect(module, path, enabled, importer)
        if "reveal_shape" in source:
            from .shapes.reveal import reveal

            found += reveal(module, path, importer)
        return found
    except RecursionError:
        return [own("FL902", path, "nested too deeply to be analysed")]
    except Exception as error:
        return [own("FL902", path, f"internal error, please report: {type(error).__name__}: {error}")]


def own(code: str, path: str, message: str, row: int = 1, column: int = 1) -> Finding:
    """A diagnostic of the engine itself."""
    return Finding(code, OWN_CODES[code][0], message, path, Place(row, column), Place(row, column))


def collect(module: cst.Module, path: str, enabled: frozenset[str], importer: Importer | None = None) -> list[Finding]:
    """The findings in a parsed module, before suppressions."""
    from .facts import Fact
    from .interpreter.machine import Machine
    from .rules import load_rules

    checks: dict[type[Fact], list[tuple[Rule, Callable[..., object]]]] = {}
    for rule in load_rules():
        if rule.code in enabled:
            for fact, check in rule.checks:
                checks.setdefault(fact, []).append((rule, check))
    problems: dict[tuple[str, int], tuple[Rule, Problem]] = {}

    def listen(fact: Fact) -> None:
        for rule, check in checks.get(type(fact), ()):
            for problem in check(fact):  # type: ignore[attr-defined]
                problems.setdefault((rule.code, id(problem.node)), (rule, problem))

    Machine(module, listen, importer).run()
    return place(module, path, list(problems.values()))


def place(module: cst.Module, path: str, problems: list[tuple[Rule, Problem]]) -> list[Finding]:
    """Problems with their positions in the file."""
    from .positions import Positions

    positions = Positions(module)
    findings = []
    for rule, problem in problems:
        start, end = positions.span(problem.node)
        message, made = problem.message, None
        if problem.layer is not None and (span := positions.find(problem.layer.node)) is not None:
            made = span[0].row
            message = f"{message}. {problem.layer.label} made at line {made}"
        fix = None
        if problem.edits:
            edits = tuple(Edit(*positions.span(node), content) for node, content in problem.edits)
            fix = Fix(problem.fix, problem.safe, edits)
        findings.append(Finding(rule.code, rule.name, message, path, start, end, fix, made))
    return findings
