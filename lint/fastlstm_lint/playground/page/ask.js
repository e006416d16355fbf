// The one interface of the page: a question in, an answer out (answers.py has the kinds). This one asks the server that
// the page came from. Another file of this name may answer in the browser alone; see pyodide.js.

const page = crypto.getRandomValues(new Uint32Array(2)).join("-");

export async function ask(question) {
  const body = JSON.stringify({ page, ...question });
  try {
    const got = await fetch("ask", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    return got.ok ? await got.json() : { refused: String(got.status) };
  } catch {
    return { away: true };
  }
}
