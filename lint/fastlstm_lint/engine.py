"""From source text to findings: parse, walk, ask the rules, place the findings, apply suppressions."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

from . import deep, noqa, parsing
from .config import OWN_CODES, Settings
from .finding import Edit, Finding, Fix, Place
from .importing import insertion, is_imported
from .records import replace
from .sources import Imports, mentions_recurrent

if TYPE_CHECKING:
    from . import cst
    from .facts import Fact
    from .positions import Positions
    from .rules.base import Check, Problem, Rule
    from .shapes.record import Recorder


def relevant(data: bytes, imports: Imports | None = None) -> bool:
    """Whether a file is worth parsing: it has a recurrent layer, or imports a file that has."""
    if mentions_recurrent(data) or b"reveal_shape" in data:
        return True
    return imports is not None and imports.reach_recurrent(data)


def check_source(
    source: str, path: str, settings: Settings | None = None, imports: Imports | None = None
) -> list[Finding]:
    """The findings in a program's text, in the order of their places.

    Nothing of the program is executed; with `imports`, the files that it imports are read. Text that cannot be parsed
    gives one FL901, and a failure of the linter itself one FL902: this function does not raise.
    """
    data = source.encode("utf-8", "replace")
    recurrent = relevant(data)
    if not recurrent and (imports is None or not imports.reach_recurrent(data)):
        return []
    return inspect(parsing.Source(source), path, settings or Settings(), imports, recurrent)


def inspect(
    source: parsing.Source,
    path: str,
    settings: Settings,
    imports: Imports | None = None,
    recurrent: bool = True,
    recorder: Recorder | None = None,
) -> list[Finding]:
    """The findings in a program that is worth it; `recurrent` says that it has a recurrent layer of its own.

    A `recorder` of this very source walks the program, and can then be asked for the shapes as well.
    """
    if noqa.whole_file_off(source.code):
        return []
    enabled = settings.enabled_for(path)
    found = deep.call(partial(_inspect, source, path, enabled, imports, recorder))
    whole = not any(each.code in ("FL901", "FL902") for each in found)
    if not recurrent:
        found = [finding for finding in found if finding.code != "FL901"]  # another tool's business
    comments = noqa.read(source.code)
    kept = noqa.apply(found, comments)
    if "FL900" in enabled and whole:  # of what was not analysed, nobody knows what a comment suppresses
        kept += noqa.unused(comments, enabled, path)
    return sorted((each for each in kept if each.code in enabled), key=lambda finding: finding.sort_key)


def _inspect(
    source: parsing.Source,
    path: str,
    enabled: frozenset[str],
    imports: Imports | None,
    recorder: Recorder | None,
) -> list[Finding]:
    found: list[Finding] = []
    try:
        module = source.module
        if len(module.text.code) < len(source.code):
            rows = module.text.code.count("\n")
            found.append(own("FL901", path, f"only the first {rows:,} lines are analysed: it is too long", rows + 1))
        asks = "reveal_shape" in source.code
        if asks and recorder is None:
            from .shapes.record import Recorder

            recorder = Recorder(module, None if imports is None else imports.home)
        found += collect(module, path, enabled, imports, recorder)
        if asks and recorder is not None:
            from .shapes.reveal import reveal

            found += reveal(recorder, path)
    except parsing.Unparsable as error:
        found.append(own("FL901", path, error.message, error.row, error.column))
    except RecursionError:
        found.append(own("FL902", path, "nested too deeply to be analysed"))
    except MemoryError:
        found.append(own("FL902", path, "takes too much memory to be analysed"))
    except Exception as error:
        message = f"internal error, please report: {type(error).__name__}: {error}"
        found.append(own("FL902", path, message))
    return found


def own(code: str, path: str, message: str, row: int = 1, column: int = 1) -> Finding:
    """A diagnostic of the engine itself."""
    return Finding(code, OWN_CODES[code][0], message, path, Place(row, column), Place(row, column))


def collect(
    module: cst.Module,
    path: str,
    enabled: frozenset[str],
    imports: Imports | None = None,
    recorder: Recorder | None = None,
) -> list[Finding]:
    """The findings in a parsed module, before suppressions; a `recorder` keeps what it sees on the way."""
    from .interpreter.machine import Machine
    from .positions import Positions

    checks = _checks(enabled)
    problems: dict[tuple[str, int], tuple[Rule, Problem]] = {}
    given: dict[tuple[str, int], str] = {}

    def listen(fact: Fact) -> None:
        if fact.where.foreign:  # it is found where that file is linted
            return
        for rule, check in checks.get(fact.__class__, ()):
            for problem in check(fact):
                key = (rule.code, id(problem.node))
                if key not in problems:
                    problems[key] = rule, problem
                    given[key] = fact.where.given
                elif given[key] != fact.where.given:
                    given[key] = ""  # it is so for either value of a flag

    machine = recorder or Machine(module, listen, None if imports is None else imports.home)
    machine.listener = listen
    try:
        machine.walk()
    except RecursionError:
        machine.too_deep = True
    said = [
        (rule, _given(problem, given[key]))
        for key, (rule, problem) in problems.items()
        if problem.holds is None or problem.holds()
    ]
    found = place(Positions(module), path, said, imports) if said else []
    if recorder is None:
        machine.forget()
    found = without_general(found, {rule.code: rule for rule, _ in said})
    if machine.too_deep:
        found.append(own("FL902", path, "a statement is nested too deeply to be analysed"))
    if machine.budget.spent:
        found.append(own("FL902", path, "too much happens here to be followed to the end; only a part is analysed"))
    return found


@lru_cache(16)  # one for each choice of codes in a run
def _checks(enabled: frozenset[str]) -> dict[type[Fact], list[tuple[Rule, Check]]]:
    """What is asked of each kind of fact, by the rules that are on."""
    from .rules import load_rules

    checks: dict[type[Fact], list[tuple[Rule, Check]]] = {}
    for rule in load_rules():
        if rule.code in enabled:
            for fact, check in rule.checks:
                checks.setdefault(fact, []).append((rule, check))
    return checks


def without_general(findings: list[Finding], rules: dict[str, Rule]) -> list[Finding]:
    """The findings but for torch's own sentence where another one says what the cause is."""
    named = {finding.start.row for finding in findings if rules[finding.code].refuses}
    return [each for each in findings if not rules[each.code].general or each.start.row not in named]


def _given(problem: Problem, given: str) -> Problem:
    """A problem that is one for a single value of a flag says so; its fix might break the other value.

    Nor are edits made that another call of the same layer contradicts.
    """
    if problem.mends is not None and not problem.mends():
        problem = replace(problem, edits=())
    if not given:
        return problem
    edits = problem.edits if problem.either else ()
    return replace(problem, message=f"{problem.message} (when {given})", edits=edits)


def place(
    positions: Positions, path: str, problems: list[tuple[Rule, Problem]], imports: Imports | None = None
) -> list[Finding]:
    """Problems with their positions in the file. What is wrong in another file is found there."""
    findings = []
    for rule, problem in problems:
        at = positions.find(problem.node)
        if at is None:
            continue
        message, made = problem.message, None
        if problem.layer is not None:
            home, made = _made(problem.layer.node, positions, imports)
            message += home and f". {problem.layer.label} made at {home}"
        lines = [(name, span[0].row) for name, node in problem.made if (span := positions.find(node)) is not None]
        if lines:
            message += ". " + ", ".join(f"{name} is of line {row}" for name, row in lines)
        fix = _fix(problem, positions)
        findings.append(Finding(rule.code, rule.name, message, path, *at, fix, made))
    return findings


def _fix(problem: Problem, positions: Positions) -> Fix | None:
    """The problem's edits as changes of the text; None where there are none, or one has no place."""
    edits = [(positions.find(node), text) for node, text in problem.edits]
    changes = [Edit(*place, text) for place, text in edits if place is not None]
    if not edits or len(changes) < len(edits):
        return None
    if problem.imports and not is_imported(positions.tree, problem.imports):
        added = insertion(positions.tree, problem.imports)
        if added is None:
            return None
        changes.append(added)
    return Fix(problem.fix, problem.safe, tuple(changes))


def _made(node: cst.CSTNode, positions: Positions, imports: Imports | None) -> tuple[str, int | None]:
    """Where a layer is made, in words, and its line in this file; nothing for what no file has."""
    span = positions.find(node)
    if span is not None:
        return f"line {span[0].row}", span[0].row
    home = None if imports is None else imports.locate(node)
    return ("" if home is None else f"line {home[1]} of {home[0]}"), None
