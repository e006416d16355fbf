// The page's own editor: a text field above the same text with its marks, and a note behind each line.
//
// makeEditor(place, told) -> { text(), setText(text), show({ notes, findings }), reveal(row), label(words) }
// `told` is { changed(), pointed(row, column, x, y), left(), moved(row, column) }; rows and columns from 1, in characters.
// codemirror.js, where it was built, is served in the place of this file.

import { column, lines, noteColumns, units, wide } from "./text.js";

const INDENT = "    ";
const REST = 120; // milliseconds that a pointer rests before it points

export function makeEditor(place, told) {
  const plain = element("div", "plain");
  const numbers = element("pre", "numbers");
  const paper = element("div", "sheet");
  const shown = element("pre", "shown");
  const area = element("textarea");
  for (const each of [numbers, shown]) each.setAttribute("aria-hidden", "true");
  Object.assign(area, { spellcheck: false, autocapitalize: "off", wrap: "off" });
  area.setAttribute("autocorrect", "off");
  paper.append(shown, area);
  plain.append(numbers, paper);
  place.append(plain);

  let notes = new Map();
  let findings = [];
  let resting = 0;
  let typed = false;
  let leaving = false;

  function draw() {
    const rows = lines(area.value);
    const columns = noteColumns(rows, notes);
    numbers.textContent = rows.map((_, at) => at + 1).join("\n");
    shown.replaceChildren(...rows.map((line, at) => rowOf(line, at + 1, columns)));
  }

  function rowOf(line, row, columns) {
    const whole = element("span", "row");
    const code = element("span", "code");
    let at = 0;
    for (const [start, end, kind] of spans(line, row)) {
      if (start < at) continue;
      code.append(line.slice(at, start));
      const mark = element("mark", kind);
      mark.textContent = line.slice(start, end) || " ";
      code.append(mark);
      at = end;
    }
    code.append(line.slice(at));
    whole.append(code);
    if (notes.has(row)) {
      const note = element("span", "note");
      note.textContent = " ".repeat(columns.get(row) - wide(line) + 2) + notes.get(row);
      whole.append(note);
    }
    whole.append("\n");
    return whole;
  }

  function spans(line, row) {
    const found = [];
    for (const { start, end, note } of findings) {
      if (row < start.row || row > end.row) continue;
      const from = row === start.row ? units(line, start.column) : line.length - line.trimStart().length;
      const to = row === end.row ? units(line, end.column) : line.length;
      found.push([from, Math.max(to, from), note ? "told" : "found"]);
    }
    return found.sort((a, b) => a[0] - b[0]);
  }

  function insert(text) {
    // Through the browser, so that its undo knows of it.
    if (!document.execCommand("insertText", false, text)) area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  }

  function at(event) {
    const box = shown.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) * shown.children.length) / box.height) + 1;
    const whole = shown.children[row - 1];
    if (!whole) return null;
    const line = whole.firstChild;
    const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    let before = 0;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      for (let k = 0; k < node.length; k++) {
        range.setStart(node, k);
        range.setEnd(node, k + 1);
        const { left, right } = range.getBoundingClientRect();
        if (left <= event.clientX && event.clientX < right) return [row, column(line.textContent, before + k)];
      }
      before += node.length;
    }
    return null;
  }

  area.addEventListener("input", () => {
    typed = true;
    // Notes and marks of before stay where their lines are; those of changed lines are drawn anew soon.
    draw();
    told.changed();
  });
  area.addEventListener("keydown", (event) => {
    if (event.key === "Tab" && !leaving && !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      insert(INDENT);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.isComposing) {
      event.preventDefault();
      const line = area.value.slice(area.value.lastIndexOf("\n", area.selectionStart - 1) + 1, area.selectionStart);
      insert("\n" + line.match(/^[ \t]*/)[0] + (/:\s*(#.*)?$/.test(line) ? INDENT : ""));
    }
    leaving = event.key === "Escape"; // Escape, then Tab leaves the field
  });
  area.addEventListener("mousemove", (event) => {
    clearTimeout(resting);
    resting = setTimeout(() => {
      const found = at(event);
      if (found) told.pointed(...found, event.clientX, event.clientY);
      else told.left();
    }, REST);
  });
  area.addEventListener("mouseleave", () => {
    clearTimeout(resting);
    told.left();
  });
  document.addEventListener("selectionchange", () => {
    if (document.activeElement !== area || area.selectionStart !== area.selectionEnd) return;
    if (typed) {
      typed = false;
      return;
    }
    const before = lines(area.value.slice(0, area.selectionStart));
    told.moved(before.length, column(before.at(-1), before.at(-1).length));
  });

  draw();
  return {
    text: () => area.value,
    setText(text) {
      if (!area.value) {
        area.value = text;
        draw();
        told.changed();
        return;
      }
      area.focus({ preventScroll: true });
      area.select();
      insert(text);
      area.setSelectionRange(0, 0);
      if (area.value !== text) {
        area.value = text;
        draw();
        told.changed();
      }
    },
    show(known) {
      notes = known.notes;
      findings = known.findings;
      draw();
    },
    reveal(row) {
      const whole = shown.children[row - 1];
      if (whole) whole.scrollIntoView({ block: "center", inline: "nearest" });
      const start = lines(area.value).slice(0, row - 1).join("\n").length + (row > 1 ? 1 : 0);
      area.focus({ preventScroll: true });
      area.setSelectionRange(start, start);
    },
    label: (words) => area.setAttribute("aria-label", words),
  };
}

function element(tag, kind = "") {
  const made = document.createElement(tag);
  made.className = kind;
  return made;
}
