"""Findings, shapes and fixes as the protocol words them."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from .. import cst, noqa, pages
from ..finding import Finding
from ..fixes import apply_fixes
from ..nodes import code_of
from ..shapes.document import Changed, Document
from ..shapes.lines import RETURN, Unreadable
from .buffer import Buffer
from .text import Lines

SOURCE = "fastlstm"
SHAPES = f"{types.CodeActionKind.Source.value}.{SOURCE}.shapes"
FIX_ALL = f"{types.CodeActionKind.SourceFixAll.value}.{SOURCE}"

SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "advice": types.DiagnosticSeverity.Hint,
    "note": types.DiagnosticSeverity.Information,
}


def diagnostics(buffer: Buffer, lines: Lines, uri: str) -> list[types.Diagnostic]:
    """The findings of a buffer."""
    return [_diagnostic(finding, lines, uri) for finding in buffer.findings]


def _diagnostic(finding: Finding, lines: Lines, uri: str) -> types.Diagnostic:
    return types.Diagnostic(
        range=lines.range(finding.start, finding.end),
        message=finding.message,
        severity=SEVERITIES[finding.level],
        code=finding.code,
        code_description=types.CodeDescription(finding.url),
        source=SOURCE,
        tags=[types.DiagnosticTag.Unnecessary] if finding.code == "FL900" else None,
        related_information=None if finding.made is None else [_made(finding.made, lines, uri)],
    )


def _made(row: int, lines: Lines, uri: str) -> types.DiagnosticRelatedInformation:
    """The line on which a finding's layer is made, as an editor's link."""
    start = types.Position(row - 1, 0)
    return types.DiagnosticRelatedInformation(
        types.Location(uri, types.Range(start, lines.end(row))), "the layer is made here"
    )


def hover(buffer: Buffer, lines: Lines, position: types.Position) -> types.Hover | None:
    """The shape of what is pointed at, where a layer was made, and the text of the rules that found something there."""
    at = lines.place(position)
    found = buffer.told(at)
    parts, place = [], None
    if found is not None:
        told, node = found
        text = " ".join(code_of(node).split()) if not isinstance(node, cst.Param) else node.name.value
        shown = text if len(text) <= 60 else text[:57] + "..."
        parts.append(f"```python\n{shown}: {told}\n```")
        made = buffer.made(node)
        if made is not None and made != ("", at.row):
            parts.append(f"made at line {made[1]}" + (f" of {made[0]}" if made[0] else ""))
        place = lines.range(*buffer.span(node))
    for finding in buffer.findings:
        if finding.start <= at <= finding.end and not finding.is_note:
            parts.append(pages.brief(finding.code))
            place = place or lines.range(finding.start, finding.end)
    if not parts:
        return None
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, "\n\n".join(parts)), place)


def inlay_hints(buffer: Buffer, lines: Lines, within: types.Range) -> list[types.InlayHint]:
    """A shape behind every name that a line binds, and at the end of a line that returns one."""
    good = buffer.good
    if good is None or good.program is None:
        return []
    hints = []
    for line in good.program.lines:
        first, last = buffer.moved(line.first), buffer.moved(line.last)
        if first is None or last is None or last - 1 < within.start.line or first - 1 > within.end.line:
            continue
        for bound in line.bound:
            if not bound.shown:
                continue
            position = lines.end(last)
            if bound.end is not None:
                row = buffer.moved(bound.end[0])
                if row is None:
                    continue
                position = lines.at_byte(row, bound.end[1])
            label = f" -> {bound.words}" if bound.name == RETURN else f": {bound.words}"
            hints.append(types.InlayHint(position, label, types.InlayHintKind.Type))
    return hints


def code_actions(
    buffer: Buffer,
    lines: Lines,
    document: types.OptionalVersionedTextDocumentIdentifier,
    params: types.CodeActionParams,
) -> Iterator[types.CodeAction]:
    """For the findings in a range their fixes and a suppression, and one action for all safe fixes."""
    wanted = params.context.only

    def asked(kind: str) -> bool:
        return wanted is None or any(kind == each or kind.startswith(f"{_word(each)}.") for each in map(_word, wanted))

    def edit(edits: list[types.TextEdit]) -> types.WorkspaceEdit:
        # Both forms: `changes` is all that older clients read.
        return types.WorkspaceEdit(
            changes={document.uri: edits}, document_changes=[types.TextDocumentEdit(document, list(edits))]
        )

    quick = types.CodeActionKind.QuickFix
    if asked(_word(quick)):
        for finding in buffer.findings:
            if not _overlap(lines.range(finding.start, finding.end), params.range):
                continue
            about = [_diagnostic(finding, lines, document.uri)]
            if finding.fix is not None:
                warning = "" if finding.fix.safe else " (changes what the program computes)"
                edits = [types.TextEdit(lines.range(each.start, each.end), each.content) for each in finding.fix.edits]
                title = f"{finding.code}: {finding.fix.message}{warning}"
                yield types.CodeAction(title, quick, about, is_preferred=finding.fix.safe, edit=edit(edits))
            suppressed = _suppressed(buffer.source, finding, lines)
            if suppressed is not None:
                yield types.CodeAction(f"{finding.code}: suppress on this line", quick, about, edit=edit([suppressed]))
    if asked(FIX_ALL):
        after, done = apply_fixes(buffer.source, buffer.findings, unsafe=False)
        if done:
            title = f"fastlstm: apply {len(done)} safe fix{'es' if len(done) > 1 else ''}"
            yield types.CodeAction(title, FIX_ALL, edit=edit([types.TextEdit(lines.whole(), after)]))
    # Not offered at every move of the cursor.
    if wanted is not None and asked(SHAPES) and (written := _with_shapes(buffer)) != buffer.source:
        title = "fastlstm: write the shapes beside the lines"
        yield types.CodeAction(title, SHAPES, edit=edit([types.TextEdit(lines.whole(), written)]))


def _with_shapes(buffer: Buffer) -> str:
    if buffer.program is None:
        return buffer.source
    try:
        return Document(buffer.source, "buffer.py", buffer.imports, buffer.program).written()
    except (Unreadable, Changed):
        return buffer.source


def _word(kind: types.CodeActionKind | str) -> str:
    return str(kind.value) if isinstance(kind, types.CodeActionKind) else kind


def _overlap(a: types.Range, b: types.Range) -> bool:
    def at(position: types.Position) -> tuple[int, int]:
        return position.line, position.character

    return at(a.start) <= at(b.end) and at(b.start) <= at(a.end)


def _suppressed(source: str, finding: Finding, lines: Lines) -> types.TextEdit | None:
    """The line of a finding with a noqa comment; None where it cannot bear one."""
    text, done = noqa.add(source, [finding])
    if not done:
        return None
    after = Lines(text, lines.encoding)
    row = next(row for row, (old, new) in enumerate(zip(lines.lines, after.lines, strict=True), 1) if old != new)
    whole = types.Range(types.Position(row - 1, 0), lines.end(row))
    return types.TextEdit(whole, after.lines[row - 1].rstrip("\r\n"))
