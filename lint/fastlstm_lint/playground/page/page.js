// The page: what is typed is looked at, what is pointed at is drawn, fixes are applied, and what they change is shown.

import { ask } from "./ask.js";
import { makeEditor } from "./editor.js";
import { changesOf, findingOf, known, pictureOf } from "./panels.js";
import { packed, unpacked } from "./share.js";
import { LANGS, choose, lang, say } from "./words.js";

const REST = 60; // milliseconds without a key before a text is looked at: somebody who types presses the next one sooner
const LANG = "fastlstm-language";

const here = (name) => document.getElementById(name);
const put = (question) => ask({ lang: lang(), ...question });

let waiting = 0;
let shown = null; // the last text whose answer is shown, with its notes
let kept = []; // texts before fixes and starts, for Undo
let before = null; // what was shown before a fix: its changes are told when the next answer comes

const editor = makeEditor(here("editor"), { changed, pointed, left, moved });

function changed() {
  clearTimeout(waiting);
  waiting = setTimeout(look, REST);
  left();
}

async function look() {
  const source = editor.text();
  performance.mark("asked");
  const answer = await put({ ask: "look", source });
  if (answer.superseded || source !== editor.text()) return;
  if (!answer.findings) {
    state(trouble(answer), true);
    editor.show({ notes: new Map(), findings: [] });
    here("findings").replaceChildren();
    return;
  }
  const notes = new Map(answer.notes.map(({ row, text }) => [row, text]));
  editor.show({ notes, findings: answer.findings });
  showFindings(source, answer);
  if (before) here("changes").replaceChildren(...changesOf(before, { source, notes }));
  here("changes").hidden = !before;
  before = null;
  shown = { source, notes };
  document.body.dataset.shown = String(Number(document.body.dataset.shown ?? 0) + 1);
  performance.measure("shown", "asked");
}

function trouble(answer) {
  if (answer.away) return say("away");
  if (answer.refused) return say("refused", answer.refused);
  return answer.stopped === "time" ? say("time", answer.limit) : say(answer.stopped === "failed" ? "failed" : "ended");
}

function showFindings(source, answer) {
  const { findings, broken } = answer;
  const count = findings.filter((each) => !each.note).length;
  if (broken) state(say("broken", broken.row, broken.message), true);
  else if (count) state(say("found", count));
  else state(say(/\b(LSTM|GRU|RNN)/.test(source) ? "clean" : "nothing"));
  const items = findings.map((each) => findingOf(each, { put, source, fix, reveal: (row) => editor.reveal(row) }));
  here("findings").replaceChildren(...items);
  offer("safe", findings.filter((each) => each.fix?.safe).length);
  offer("all", findings.filter((each) => each.fix).length);
}

function offer(which, count) {
  here(which).hidden = count < 2;
  here(which).textContent = say(which, count);
}

function state(text, bad = false) {
  here("state").textContent = text;
  here("state").className = bad ? "bad" : "";
}

async function fix(question) {
  const source = editor.text();
  const answer = await put({ ask: "fix", source, ...question });
  if (answer.source === undefined) state(trouble(answer), true);
  else if (source === editor.text() && answer.source !== source) {
    before = shown ?? known(source);
    replace(answer.source);
  }
}

function replace(text) {
  if (editor.text() && editor.text() !== text) kept.push(editor.text());
  here("undo").hidden = !kept.length;
  editor.setText(text);
}

// What is pointed at

let pointing = 0;

async function told(row, column) {
  const mine = ++pointing;
  const source = editor.text();
  const answer = await put({ ask: "point", source, row, column });
  return mine === pointing && source === editor.text() && answer.told ? answer : null;
}

async function pointed(row, column, x, y) {
  const answer = await told(row, column);
  if (!answer) return left();
  const tip = here("tip");
  tip.replaceChildren(...pointedAt(answer));
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - box.width - 8))}px`;
  tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(4, y - 12 - box.height) : y + 18}px`;
}

async function moved(row, column) {
  const answer = await told(row, column);
  const cursor = here("cursor");
  cursor.hidden = !answer;
  if (answer) cursor.lastElementChild.replaceChildren(...pointedAt(answer));
}

function left() {
  pointing++;
  here("tip").hidden = true;
}

function pointedAt(answer) {
  const code = document.createElement("code");
  code.textContent = answer.told;
  return answer.picture ? [code, pictureOf(answer.picture, answer.told)] : [code];
}

// Starts, links, languages, questions

let starts = [];

async function loadStarts() {
  const answer = await put({ ask: "start" });
  starts = answer.starts ?? [];
  const chooser = here("start");
  const chosen = chooser.value;
  const group = (kind, label) => {
    const made = document.createElement("optgroup");
    made.label = label;
    made.append(...starts.filter((each) => each.kind === kind).map((each) => new Option(each.title, each.name)));
    return made;
  };
  chooser.replaceChildren(new Option(say("own"), ""), group("mistake", say("mistakes")), group("program", say("programs")));
  chooser.value = chosen;
}

function begin(name) {
  const start = starts.find((each) => each.name === name);
  if (start) replace(start.source);
}

async function open(link) {
  const source = await unpacked(link);
  if (source === null) return false;
  replace(source);
  here("start").value = "";
  return true;
}

async function share() {
  const fragment = await packed(editor.text()).catch(() => null);
  const told = here("shared");
  if (!fragment) {
    told.textContent = say("large");
    return;
  }
  history.replaceState(null, "", `#${fragment}`);
  const local = ["127.0.0.1", "localhost"].includes(location.hostname);
  const link = local ? `${location.origin}/#${fragment}` : location.href; // without the token: it is this machine's alone
  try {
    await navigator.clipboard.writeText(link);
    told.textContent = say("copied");
  } catch {
    told.textContent = `${say("copy")} ${link}`;
  }
}

async function question(event) {
  event.preventDefault();
  const text = here("question").value.trim();
  if (!text) return;
  if (await open(text)) return;
  const answer = await put({ ask: "tell", text });
  const said = document.createElement("pre");
  said.textContent = answer.text ?? trouble(answer);
  here("told").replaceChildren(said, ...(answer.picture ? [pictureOf(answer.picture, say("layer"))] : []));
}

async function speak(language) {
  choose(language);
  here("lang").value = lang();
  editor.label(say("editor"));
  here("told").replaceChildren();
  await loadStarts();
}

here("start").addEventListener("change", (event) => begin(event.target.value));
here("safe").addEventListener("click", () => fix({ which: "safe" }));
here("all").addEventListener("click", () => fix({ which: "all" }));
here("share").addEventListener("click", share);
here("ask").addEventListener("submit", question);
here("undo").addEventListener("click", () => {
  const text = kept.pop();
  here("undo").hidden = !kept.length;
  before = shown;
  editor.setText(text);
});
here("lang").addEventListener("change", async (event) => {
  try {
    localStorage.setItem(LANG, event.target.value);
  } catch {} // where a browser keeps nothing
  await speak(event.target.value);
  look();
});
addEventListener("hashchange", () => open(location.hash));
addEventListener("keydown", (event) => event.key === "Escape" && left());
document.addEventListener("scroll", left, true);

function preferred() {
  try {
    const chosen = localStorage.getItem(LANG);
    if (chosen) return chosen;
  } catch {}
  return LANGS.find((each) => navigator.language.toLowerCase().startsWith(each)) ?? "en";
}

await speak(preferred());
if (await open(location.hash)) here("shared").textContent = say("linked");
else {
  here("start").value = "FL201";
  begin("FL201");
}
