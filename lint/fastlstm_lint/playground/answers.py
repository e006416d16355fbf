"""The one interface of the page: a question in, an answer out, both plain data.

A question is `{"ask": KIND, "page": ID, "lang": "en" | "zh", ...}`, and the kinds are the methods of `Answers` with
what they read. Rows and columns are counted from 1 in characters, as in every report of the linter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..causes import SUMMARIES
from ..explain.ask import UnknownQuestion
from ..explain.ask import answer as told_of
from ..explain.drawing import draw
from ..explain.parse import LayerSyntaxError
from ..explain.words import Lang, language
from ..finding import Finding, Place
from ..fixes import apply_fixes
from ..lsp.buffer import Buffer
from ..parsing import Unparsable
from ..rules import by_code
from ..run import fix_text
from ..source import split_lines
from .axes import axes_picture, layer_picture
from .rule_words import rule_words
from .starts import starts

Answer = dict[str, Any]

TYPES = {"ask": str, "source": str, "row": int, "column": int, "which": str, "code": str, "text": str}
"""What the parts of a question are."""

PACKED = "FL4"
"""The rules about packed batches."""

PAGES = 8
"""Pages whose last text is remembered: while a text cannot be parsed, what was known before is shown."""

LAYER = re.compile(r"\b(?:LSTM|GRU|RNN)\b")

LARGEST = 400_000
"""Characters of a text: as many as the linter looks at."""


class Answers:
    """Answers questions. It keeps the last text of each page, which saves time and changes no answer but that to a text
    that cannot be parsed."""

    def __init__(self) -> None:
        self._kept: dict[str, Buffer] = {}
        self._old: Buffer | None = None

    def tidy(self) -> None:
        """Let go of the text before the last one: of a long one that takes a fifth of an answer's time."""
        self._old = None

    def answer(self, question: Mapping[str, Any]) -> Answer:
        """The answer to a question; `{"refused": why}` to what is none."""
        for name, type_ in TYPES.items():
            if name in question and type(question[name]) is not type_:
                return {"refused": f"{name} is no {type_.__name__}"}
        kinds = {
            "look": self.look,
            "point": self.point,
            "fix": self.fix,
            "rule": self.rule,
            "tell": self.tell,
            "start": self.start,
        }
        kind = kinds.get(question.get("ask", ""))
        if kind is None:
            return {"refused": f"ask is one of {', '.join(kinds)}"}
        if len(question.get("source", "")) > LARGEST:
            return {"refused": f"the text has more than {LARGEST:,} characters"}
        return kind(question, _lang(question))

    def look(self, question: Mapping[str, Any], lang: Lang) -> Answer:
        """Of a `source` the findings, and a note for each row of which shapes are known."""
        buffer = self._buffer(question)
        found = buffer.findings
        return {
            "findings": [_finding(each, lang) for each in found if each.code != "FL901"],
            "notes": [{"row": row, "text": text} for row, text in _notes(buffer).items()],
            "broken": _broken(buffer),
        }

    def point(self, question: Mapping[str, Any], lang: Lang) -> Answer:
        """What is known of the expression of `source` at `row` and `column`, and its picture; {} if nothing is."""
        good = self._buffer(question)
        if good.good is not good:
            return {}
        found = good.told(Place(question.get("row", 1), question.get("column", 1)))
        if found is None or good.program is None:
            return {}
        told, node = found
        start, end = good.span(node)
        words = good.program.recorder.words(node)
        picture = layer_picture(told, lang) if words is None else axes_picture(words, lang)
        return {"told": told, "start": _place(start), "end": _place(end), "picture": picture}

    def fix(self, question: Mapping[str, Any], lang: Lang) -> Answer:
        """The `source` with fixes applied: `which` is "safe", "all", or "one" with the finding's `code` and place."""
        source, which = question.get("source", ""), question.get("which", "safe")
        if which == "one":
            place, code = Place(question.get("row", 1), question.get("column", 1)), question.get("code")
            chosen = [each for each in self._buffer(question).findings if each.code == code and each.start == place]
            after, fixed = apply_fixes(source, chosen[:1], unsafe=True)
        else:
            after, fixed = fix_text(source, "page.py", which == "all", lambda text: Buffer(text, None, None).findings)
        return {"source": after, "fixed": [each.code for each in fixed]}

    def rule(self, question: Mapping[str, Any], lang: Lang) -> Answer:
        """The rule of a `code` in words; with a `source` and the `row` where a layer is made, that layer's picture."""
        rule = by_code().get(question.get("code", ""))
        if rule is None:
            return {"refused": "there is no such rule"}
        packed = rule.code.startswith(PACKED)
        return {**rule_words(rule, lang), "picture": self._layer_at(question, lang, packed)}

    def tell(self, question: Mapping[str, Any], lang: Lang) -> Answer:
        """What `fastlstm explain` says to a question in `text`, with a picture where it is about a layer."""
        text = question.get("text", "").strip()
        if "lang" not in question:
            lang = language(text)
        try:
            said = told_of(text, lang)
        except (UnknownQuestion, LayerSyntaxError) as error:
            return {"text": str(error), "picture": None}
        return {"text": said, "picture": _drawn(text, lang)}

    def start(self, question: Mapping[str, Any], lang: Lang) -> Answer:
        """The programs to begin with."""
        return {"starts": starts(lang)}

    def _buffer(self, question: Mapping[str, Any]) -> Buffer:
        page, source = str(question.get("page", "")), question.get("source", "")
        kept = self._kept.pop(page, None)
        if kept is None or kept.source != source:
            self._old = kept
            kept = Buffer(source, None, None, kept)
        self._kept[page] = kept
        if len(self._kept) > PAGES:
            del self._kept[next(iter(self._kept))]
        return kept

    def _layer_at(self, question: Mapping[str, Any], lang: Lang, packed: bool) -> str | None:
        """The picture of the layer that is made at a row."""
        buffer, row = self._buffer(question), question.get("row", 0)
        lines = split_lines(buffer.source)
        made = LAYER.search(lines[row - 1]) if 0 < row <= len(lines) else None
        if made is None or buffer.good is not buffer:
            return None
        found = buffer.told(Place(row, made.start() + 1))
        return None if found is None else layer_picture(found[0], lang, packed)


def _lang(question: Mapping[str, Any]) -> Lang:
    return "zh" if question.get("lang") == "zh" else "en"


def _drawn(text: str, lang: Lang) -> str | None:
    try:
        return draw(text, lang, None)
    except LayerSyntaxError:
        return None


def _place(place: Place) -> dict[str, int]:
    return {"row": place.row, "column": place.column}


def _finding(finding: Finding, lang: Lang) -> Answer:
    fix = None if finding.fix is None else {"message": finding.fix.message, "safe": finding.fix.safe}
    return {
        "code": finding.code,
        "name": finding.name,
        "summary": SUMMARIES.get(finding.code) if lang == "zh" else None,
        "message": finding.message,
        "start": _place(finding.start),
        "end": _place(finding.end),
        "made": finding.made,
        "note": finding.is_note,
        "fix": fix,
    }


def _notes(buffer: Buffer) -> dict[int, str]:
    """By row what `fastlstm shapes` says beside it; of a text that cannot be parsed, what it said before."""
    good = buffer.good
    if good is None or good.program is None:
        return {}
    placed = ((buffer.moved(row.row), row.note) for row in good.program.rows() if row.note)
    return {row: note for row, note in placed if row is not None}


def _broken(buffer: Buffer) -> Answer | None:
    """Why a text cannot be parsed, and where."""
    if buffer.good is buffer:
        return None
    try:
        _ = buffer.parsed.module
    except Unparsable as error:
        return {"message": error.message, "row": error.row, "column": error.column}
    return None
