// In the place of ask.js on a page without a server: the linter runs in the browser, in Pyodide. The page is served with
// Pyodide in pyodide/ beside it, and the wheels that it needs in wheels.json, a list of their names.

const page = "page";

async function load() {
  const { loadPyodide } = await import("./pyodide/pyodide.mjs");
  const python = await loadPyodide();
  const wheels = await (await fetch("wheels.json")).json();
  for (const name of wheels) python.unpackArchive(await (await fetch(name)).arrayBuffer(), "wheel");
  return python.runPython(`
import json
from fastlstm_lint.playground.answers import Answers
answers = Answers()
lambda question: json.dumps(answers.answer(json.loads(question)))
`);
}

let answer;

export async function ask(question) {
  answer ??= load();
  try {
    return JSON.parse((await answer)(JSON.stringify({ page, ...question })));
  } catch {
    return { stopped: "failed" };
  }
}
