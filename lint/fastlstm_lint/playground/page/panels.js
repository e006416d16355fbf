// What stands beside the editor: a finding with its explanation, the changes of a fix, pictures. Texts are set as texts.

import { lines, pairs } from "./text.js";
import { say } from "./words.js";

export const known = (source) => ({ source, notes: new Map() });

function made(tag, kind, ...inner) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.append(...inner);
  return element;
}

// As an image: what is in it cannot run, and its styles stay its own.
export function pictureOf(svg, label) {
  const image = made("img", "picture");
  image.alt = label;
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  return image;
}

export function findingOf(finding, { put, source, fix, reveal }) {
  const { code, name, message, start, made: row } = finding;
  const go = made("button", "go", say("line", start.row));
  go.type = "button";
  go.addEventListener("click", () => reveal(start.row));
  const item = made("li", finding.note ? "told" : "found", made("strong", "", code), " ", made("em", "", name), " ", go);
  item.dataset.code = code;
  if (finding.summary) item.append(made("p", "", finding.summary));
  item.append(made("p", finding.summary ? "small" : "", message));
  if (finding.fix) {
    const apply = made("button", "apply", `${say("apply")}: ${finding.fix.message}`);
    apply.type = "button";
    apply.addEventListener("click", () => fix({ which: "one", code, row: start.row, column: start.column }));
    item.append(apply, made("span", "small", ` ${say(finding.fix.safe ? "same" : "unsafe")}`));
  }
  if (!finding.note) item.append(why(code, row, source, put));
  return item;
}

// What stands in `...` as code; *...* is what an explanation stresses.
const coded = (text) =>
  text.split(/`([^`]+)`|\*([^*\s]+)\*/).map((part, k) => (k % 3 ? part && made(k % 3 === 1 ? "code" : "strong", "", part) : part)).filter(Boolean);

function why(code, row, source, put) {
  const details = made("details", "", made("summary", "", say("why")));
  details.addEventListener("toggle", async () => {
    if (!details.open || details.children.length > 1) return;
    const rule = await put({ ask: "rule", code, ...(row ? { source, row } : {}) });
    if (!rule.code) return;
    details.append(made("p", "", ...coded(`${rule.summary} ${rule.torch}`)));
    for (const { text, drawing } of rule.why) details.append(text ? made("p", "", ...coded(text)) : made("pre", "code", drawing));
    for (const each of ["wrong", "right"]) details.append(made("h3", "", say(each)), made("pre", "code", rule[each]));
    if (rule.picture) details.append(made("h3", "", say("layer")), pictureOf(rule.picture, say("layer")));
  });
  return details;
}

// The rows that a fix changed, and the notes that changed with them. Of rows that were exchanged the first stands for the
// first, and so on.
export function changesOf(before, after) {
  const [old, now] = [lines(before.source), lines(after.source)];
  const rows = [];
  const notes = [];
  let gone = [];
  for (const [x, y] of pairs(before.source, after.source)) {
    if (!y) {
      rows.push(made("del", "", `- ${old[x - 1]}\n`));
      gone.push(x);
      continue;
    }
    if (!x) rows.push(made("ins", "", `+ ${now[y - 1]}\n`));
    const from = x || gone.shift();
    if (x) gone = [];
    const [was, is] = [before.notes.get(from), after.notes.get(y)];
    if (was === is) continue;
    const told = [was && made("del", "", was), is && made("ins", "", is)].filter(Boolean);
    notes.push(made("div", "", `${say("line", y)}: `, told[0], ...(told[1] ? [" ", told[1]] : [])));
  }
  if (!rows.length) return [];
  const found = [made("h2", "", say("changed")), made("pre", "diff", ...rows)];
  if (notes.length) found.push(made("h3", "", say("shapes")), made("div", "diff", ...notes));
  return found;
}
