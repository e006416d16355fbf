// CodeMirror as the page's editor, with the interface of editor.js. In a shadow root its styles need no inline style
// element, which the page's policy forbids.

import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, WidgetType, drawSelection, hoverTooltip, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

import { column, lines, noteColumns, units, wide } from "../fastlstm_lint/playground/page/text.js";

const known = StateEffect.define();

class Note extends WidgetType {
  constructor(text, blanks) {
    super();
    Object.assign(this, { text, blanks });
  }
  eq(other) {
    return other.text === this.text && other.blanks === this.blanks;
  }
  toDOM() {
    const note = document.createElement("span");
    note.className = "note";
    note.textContent = " ".repeat(this.blanks) + this.text;
    return note;
  }
}

const decorations = StateField.define({
  create: () => Decoration.none,
  update(value, transaction) {
    for (const effect of transaction.effects) if (effect.is(known)) return decorated(transaction.state.doc, effect.value);
    return value.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

function decorated(doc, { notes, findings }) {
  const rows = doc.toString().split("\n");
  const columns = noteColumns(rows, notes);
  const found = [];
  for (const [row, text] of notes) {
    if (row > doc.lines) continue;
    const line = doc.line(row);
    const widget = new Note(text, columns.get(row) - wide(line.text) + 2);
    found.push(Decoration.widget({ widget, side: 1 }).range(line.to));
  }
  for (const { start, end, note } of findings) {
    const [from, to] = [place(doc, start), place(doc, end)];
    if (from < to) found.push(Decoration.mark({ class: note ? "told" : "found" }).range(from, to));
  }
  return Decoration.set(found, true);
}

function place(doc, { row, column }) {
  if (row > doc.lines) return doc.length;
  const line = doc.line(row);
  return Math.min(line.to, line.from + units(line.text, column));
}

const mono = 'Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace';
const theme = EditorView.theme({
  "&": { height: "100%", fontSize: "13px", color: "var(--ink)", backgroundColor: "var(--paper)" },
  ".cm-content": { fontFamily: mono, lineHeight: "1.5", caretColor: "var(--ink)" },
  ".cm-scroller": { fontFamily: mono, lineHeight: "1.5", overflow: "auto" },
  ".cm-gutters": { color: "var(--faint)", backgroundColor: "var(--paper)", border: "0" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": { background: "var(--line)" },
  ".cm-matchingBracket": { backgroundColor: "var(--line)" },
  ".note": { color: "var(--note)", whiteSpace: "pre", userSelect: "none" },
  ".found": { backgroundColor: "var(--mark)", textDecoration: "underline wavy var(--bad) 1.5px", textUnderlineOffset: "2px" },
  ".told": { textDecoration: "underline wavy var(--note) 1.5px", textUnderlineOffset: "2px" },
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.self], color: "var(--keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--number)" },
  { tag: tags.comment, color: "var(--faint)" },
  { tag: [tags.function(tags.definition(tags.variableName)), tags.definition(tags.className)], fontWeight: "600" },
]);

export function makeEditor(parent, told) {
  const root = parent.attachShadow({ mode: "open" });
  let label = "";

  // A tooltip of its own would be drawn inside the shadow root: the page draws it.
  const pointing = hoverTooltip(
    (view, at) => {
      const line = view.state.doc.lineAt(at);
      const { left, bottom } = view.coordsAtPos(at) ?? { left: 0, bottom: 0 };
      told.pointed(line.number, column(line.text, at - line.from), left, bottom - 12);
      return null;
    },
    { hoverTime: 120 },
  );

  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      extensions: [
        lineNumbers(), history(), drawSelection(), indentUnit.of("    "), indentOnInput(), bracketMatching(), python(),
        syntaxHighlighting(colours), theme, decorations, pointing,
        keymap.of([...defaultKeymap, ...historyKeymap, indentWithTab]),
        EditorView.contentAttributes.of(() => ({ "aria-label": label, spellcheck: "false" })),
        EditorView.domEventHandlers({ mouseleave: () => told.left(), mousemove: () => told.left() }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) told.changed();
          else if (update.selectionSet && update.state.selection.main.empty) {
            const at = update.state.selection.main.head;
            const line = update.state.doc.lineAt(at);
            told.moved(line.number, column(line.text, at - line.from));
          }
        }),
      ],
    }),
  });

  return {
    text: () => view.state.doc.toString(),
    setText: (text) =>
      view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: lines(text).join("\n") }, selection: { anchor: 0 } }),
    show: (answer) => view.dispatch({ effects: known.of(answer) }),
    reveal(row) {
      const at = view.state.doc.line(Math.min(row, view.state.doc.lines)).from;
      view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
      view.focus();
    },
    label(words) {
      label = words;
      view.dispatch({});
    },
  };
}
