"""What torch says of a program, and what the linter says."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from fastlstm_lint import check_source
from fastlstm_lint.interpreter.machine import Machine
from fastlstm_lint.parsing import parse
from fastlstm_lint.rules import by_code
from fastlstm_lint.signatures.memory import strides_of
from fastlstm_lint.tensors import GUESSED
from fastlstm_lint.values import Tensor, resolve

from . import calls, values
from .maker import HEADER, Maker

NAME = "program.py"

SILENT_TOO = frozenset({"FL506"})
"""Rules of mistakes that torch may accept as well: a GRU's two rows of states, unpacked as (h, c)."""

KINDS = (calls, values)
"""Importing these fills the table of templates."""


@dataclass(frozen=True)
class Verdict:
    """What torch and the linter say of a program. `line` is where torch raises, or None; `found` are the findings of
    rules that say that torch raises."""

    source: str
    line: int | None
    error: str
    found: frozenset[tuple[str, int]]
    passed: frozenset[int]  # the lines that torch went into
    named: frozenset[int]  # the lines of findings that name a cause for which torch may raise
    untrue: tuple[str, ...]  # what the linter says of values, and is not so

    @property
    def missed(self) -> bool:
        """Whether torch raises at a line where nothing is found."""
        return self.line is not None and self.line not in self.named

    @property
    def false(self) -> list[tuple[str, int]]:
        """Findings of errors at lines that torch runs through."""
        return sorted(
            each for each in self.found if each[1] != self.line and (self.line is None or each[1] in self.passed)
        )


def run(source: str) -> tuple[int | None, str, frozenset[int], dict[str, Any]]:
    """The line at which torch raises, its sentence, the lines that it went into, and the names at the end."""
    torch.manual_seed(0)
    passed: set[int] = set()
    names: dict[str, Any] = {"__name__": "program"}

    def trace(frame: Any, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != NAME:
            return None
        passed.add(frame.f_lineno)
        return trace

    code = compile(source, NAME, "exec")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            exec(code, names)
        except Exception as error:
            rows = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == NAME]
            first = (f"{type(error).__name__}: {error}".splitlines() or [""])[0]
            return rows[-1], first, frozenset(passed), names
        finally:
            sys.settrace(before)
    return None, "", frozenset(passed), names


def judge(source: str) -> Verdict:
    """Both opinions of a program."""
    line, error, passed, names = run(source)
    rules = by_code()
    findings = check_source(source, NAME)
    crashes = {code for code, rule in rules.items() if rule.torch == "crash"}
    found = {(each.code, each.start.row) for each in findings if each.code in crashes - SILENT_TOO}
    found |= {(each.code, 0) for each in findings if each.code in ("FL901", "FL902")}
    causes = {code for code, rule in rules.items() if rule.torch == "crash" or rule.crashes}
    named = {each.start.row for each in findings if each.code in causes}
    untrue = () if line is not None else tuple(differences(source, names))
    return Verdict(source, line, error, frozenset(found), passed, frozenset(named), untrue)


def differences(source: str, names: dict[str, Any]) -> list[str]:
    """Where shape, element type or strides of a tensor at the end of a program are not as the linter has them."""
    machine = Machine(parse(source), lambda fact: None)
    machine.walk()
    found = []
    for name, value in names.items():
        known = machine.scope.names.get(name)
        tensor = None if known is None else resolve(known)
        if not isinstance(value, torch.Tensor) or not isinstance(tensor, Tensor) or GUESSED in tensor.traits:
            continue
        sizes = [size.value for size in tensor.sizes]
        if len(sizes) != value.dim() or any(a not in (None, b) for a, b in zip(sizes, value.shape, strict=True)):
            found.append(f"{name}: shape {sizes}, torch has {list(value.shape)}")
            continue
        if tensor.dtype is not None and f"torch.{tensor.dtype}" != str(value.dtype):
            found.append(f"{name}: {tensor.dtype}, torch has {value.dtype}")
        strides = strides_of(tensor)
        if strides is not None and value.numel():
            pairs = zip(strides, value.stride(), value.shape, strict=True)
            if any(a != b for a, b, size in pairs if size > 1):
                found.append(f"{name}: strides {strides}, torch has {value.stride()} of {list(value.shape)}")
    return found


def program(seed: int) -> str:
    """The program of a seed."""
    torch.manual_seed(seed)
    maker = Maker(seed)
    try:
        return maker.write((values.recurrent, values.made))
    except Exception:  # at a line that a statement needs in front of it: the program ends there
        return maker.text


def shrunk(source: str, wrong: Callable[[Verdict], bool]) -> str:
    """The program without the lines that do not matter for what is wrong with the verdict."""
    first = HEADER.count("\n")
    lines = source.splitlines()
    changed = True
    while changed:
        changed = False
        for at in reversed(range(first, len(lines))):
            fewer = "\n".join(lines[:at] + lines[at + 1 :]) + "\n"
            try:
                verdict = judge(fewer)
            except SyntaxError:
                continue
            if wrong(verdict):
                lines, changed = fewer.splitlines(), True
    return "\n".join(lines) + "\n"
