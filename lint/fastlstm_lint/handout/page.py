"""The gathered programs as one HTML file.

Every text goes through `_text`, and there is nothing else that writes one: names of files, code, comments and messages
are a stranger's. The file's own policy lets nothing run and nothing be fetched.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from textwrap import dedent

from ..finding import Finding
from ..pages import TORCH_SAYS, sentence
from ..rules import by_code
from ..visible import visible
from .gather import Part, Program, Row

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

PICTURES = {".svg": "image/svg+xml", ".png": "image/png"}
"""What a proof's picture may be. As an image an SVG runs nothing."""


def page(programs: Sequence[Program], proofs: Sequence[tuple[str, bytes]] = (), title: str = "Shapes") -> str:
    """The whole file. `proofs` are names and contents of what `fastlstm prove` printed or drew."""
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    codes = sorted({each.code for program in programs for each in program.findings})
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{_text(title)}</title><style>{style}</style></head><body>",
            f"<h1>{_text(title)}</h1>",
            *_summary(programs),
            *(line for number, program in enumerate(programs) for line in _program(number, program)),
            *(line for name, content in proofs for line in _proof(name, content)),
            *(line for code in codes for line in _rule(code)),
            "</body></html>",
            "",
        ]
    )


def _text(text: str) -> str:
    """A stranger's text on one line: what does not print is shown as an escape, what HTML reads as itself."""
    return escape(visible(text))


def _code(text: str) -> str:
    """A line of a program, its tabs as they are."""
    return "\t".join(_text(part) for part in text.split("\t"))


def _block(text: str) -> str:
    """Lines as they are."""
    lines = "\n".join(_code(line) for line in text.splitlines())
    return f"<pre>{lines}</pre>"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _summary(programs: Sequence[Program]) -> Iterator[str]:
    counts = Counter(each.code for program in programs for each in program.findings if not each.is_note)
    total = sum(counts.values())
    yield f"<p>{_count(total, 'finding')} in {_count(len(programs), 'file')} with tensors.</p>"
    if counts:
        rules = by_code()
        yield "<table><thead><tr><th>rule</th><th>found</th><th>what</th></tr></thead><tbody>"
        for code, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
            what = rules[code].summary if code in rules else ""
            yield f'<tr><td><a href="#{code}">{code}</a></td><td>{count}</td><td>{_text(what)}</td></tr>'
        yield "</tbody></table>"
    yield "<ul>"
    for number, program in enumerate(programs):
        found = sum(not each.is_note for each in program.findings)
        told = f' <span class="found">{_count(found, "finding")}</span>' if found else ""
        yield f'<li><a href="#file-{number}">{_text(program.name)}</a>{told}</li>'
    yield "</ul>"


def _program(number: int, program: Program) -> Iterator[str]:
    yield f'<section><h2 id="file-{number}">{_text(program.name)}</h2>'
    if program.trouble:
        yield f'<p class="found">{_text(program.trouble)}</p>'
    if not program.parts:
        yield from (_finding(each) for each in program.findings)
    for part in program.parts:
        if part.cell is not None:
            yield f"<h3>cell {part.cell}</h3>"
        yield from _part(part)
    yield "</section>"


def _part(part: Part) -> Iterator[str]:
    yield '<table class="code"><tbody>'
    for row in part.rows:
        note = f'<span class="note">{_text(row.note)}</span>' if row.note else ""
        kind = ' class="marked"' if row.findings else ""
        yield f"<tr{kind}><td>{row.number}</td><td>{_marked(row)}</td><td>{note}</td></tr>"
        yield from (f'<tr class="told"><td></td><td colspan="2">{_finding(each)}</td></tr>' for each in row.findings)
    yield "</tbody></table>"


def _marked(row: Row) -> str:
    """A line with the place of its first finding marked."""
    if not row.findings:
        return _code(row.text)
    first = row.findings[0]
    start = first.start.column - 1
    end = first.end.column - 1 if first.end.row == row.number else len(row.text)
    return f"{_code(row.text[:start])}<mark>{_code(row.text[start:end])}</mark>{_code(row.text[end:])}"


def _finding(finding: Finding) -> str:
    fix = "" if finding.fix is None else f'<br><span class="fix">Fix: {_text(finding.fix.message)}</span>'
    return f'<div class="finding"><a href="#{finding.code}">{finding.code}</a> {_text(finding.message)}{fix}</div>'


def _proof(name: str, content: bytes) -> Iterator[str]:
    kind = PICTURES.get(Path(name).suffix.lower())
    yield f"<section><h2>prove: {_text(Path(name).name)}</h2>"
    if kind is not None:
        yield f'<img alt="" src="data:{kind};base64,{base64.b64encode(content).decode()}">'
    else:
        yield _block(content.decode("utf-8", "replace"))
    yield "</section>"


def _rule(code: str) -> Iterator[str]:
    rule = by_code().get(code)
    if rule is None:
        yield f'<span id="{code}"></span>'
        return
    yield f'<section><h2 id="{code}">{code} {_text(rule.name)}</h2>'
    yield f"<p>{_text(sentence(rule.summary))} {_text(TORCH_SAYS[rule.torch])}</p>"
    for part in rule.explanation.strip("\n").split("\n\n"):
        if part.startswith("    "):
            yield _block(dedent(part))
        else:
            yield f"<p>{_text(' '.join(part.split()))}</p>"
    for word, text in (("Wrong", rule.wrong), ("Right", rule.right)):
        yield f"<h3>{word}</h3>"
        yield _block(text.strip())
    yield "</section>"
