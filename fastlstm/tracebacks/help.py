"""What a shape error means, as text: cause and change by its message, the rule by the linter, the shapes at hand."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fastlstm_lint import Finding, Settings
from fastlstm_lint.explain.reasons import Told, rule_lines, understand
from fastlstm_lint.explain.words import Lang
from fastlstm_lint.rules import by_code
from fastlstm_lint.run import check_text

from fastlstm.tracebacks.frames import Place, own_places, values_at

ERRORS = (RuntimeError, TypeError, ValueError, IndexError, AttributeError, AssertionError)
"""The kinds of errors that wrong shapes end in. NotImplementedError is a RuntimeError."""

LARGEST = 300_000
"""Characters of a file that the linter is asked about: an answer is wanted at once."""

WORDS: dict[Lang, tuple[str, str, str]] = {
    "en": ("fastlstm: what this error means", "Here:    ", "Shapes:  "),
    "zh": ("fastlstm：这个错误的含义", "此处：", "形状："),
}


def help_for(error: BaseException, lang: Lang = "en", cells: Sequence[str] = ()) -> str:
    """The text to print below the error's traceback; "" where nothing is known. Does not raise.

    `cells` are the texts of a notebook's cells so far, in which a model may have been made before.
    """
    try:
        return _help_for(error, lang, cells)
    except Exception:
        return ""


def _help_for(error: BaseException, lang: Lang, cells: Sequence[str]) -> str:
    if not isinstance(error, ERRORS) or "torch" not in sys.modules:
        return ""
    places = own_places(error.__traceback__)
    told = understand(f"{type(error).__name__}: {error}", lang)
    values = list(values_at(places[0])) if places else []
    found = findings_for(places, told, cells) if told is not None or values else []
    # A message that other programs know as well, of a frame without a tensor, is no shape error.
    if not found and (told is None or not values):
        return ""
    return "\n".join(_lines(told, found, values, lang))


def _lines(told: Told | None, found: list[Finding], values: list[tuple[str, str]], lang: Lang) -> list[str]:
    title, here, shapes = WORDS[lang]
    lines = ["", title]
    codes = tuple(dict.fromkeys(each.code for each in found))
    if told is not None:
        lines += Told(told.cause, told.change, codes or told.rules).lines(lang)
    else:
        lines += rule_lines(codes, lang)
    lines += [f"{here}{_where(found[0], lang)}: {found[0].message}"] if found else []
    lines += [shapes + "; ".join(f"{name} {shape}" for name, shape in values)] if values else []
    return lines


def _where(found: Finding, lang: Lang) -> str:
    if found.cell is None:
        return f"{Path(found.path).name}:{found.start.row}"
    return {"en": "cell {0}, line {1}", "zh": "第 {0} 个单元格第 {1} 行"}[lang].format(found.cell, found.start.row)


def findings_for(places: Sequence[Place], told: Told | None, cells: Sequence[str] = ()) -> list[Finding]:
    """The linter's findings that the error is about: at a line of the traceback, or of a rule that the message names.

    One, or those of several rules at the line that failed first.
    """
    named = () if told is None else told.rules
    best: list[tuple[tuple[int, bool, int], Finding]] = []
    seen: dict[str, list[Finding]] = {}
    rules = by_code()
    for depth, place in enumerate(places):
        if place.path not in seen:
            seen[place.path] = _findings(place, named, cells)
        for found in seen[place.path]:
            rule = rules[found.code]
            here = found.start.row <= place.row <= found.end.row
            refused = rule.torch == "crash" or rule.crashes
            if found.code in named or (here and refused):
                worth = 0 if here and found.code in named else 1 if here else 2
                best.append(((worth, rule.general, depth), found))
    best.sort(key=lambda each: each[0])
    return [found for (worth, _, depth), found in best if (worth, depth) == (best[0][0][0], best[0][0][2])]


def _findings(place: Place, named: tuple[str, ...], cells: Sequence[str]) -> list[Finding]:
    """The findings in a frame's file, rules that are off but named by the message among them; of a notebook's cell, as
    a part of all cells so far."""
    text = place.text
    if not text or len(text) > LARGEST:
        return []
    number = next((k for k in reversed(range(len(cells))) if cells[k].strip() == text.strip()), None)
    if number is None:
        folder = Path(place.path).parent
        found = check_text(text, place.path, Settings(root=folder, extend_select=named)).findings
    else:
        book = {"cells": [_code(cell) for cell in cells[: number + 1]], "metadata": {}, "nbformat": 4}
        kept = check_text(json.dumps(book), "notebook.ipynb", Settings(extend_select=named)).findings
        found = [each for each in kept if each.cell == number + 1]
    rules = by_code()
    return [each for each in found if each.code in rules]


def _code(source: str) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
