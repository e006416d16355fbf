// Rows and columns, notes beside lines, and what changed between two texts.

export const lines = (text) => text.split(/\r\n|\r|\n/);

// The linter counts columns from 1 in characters, JavaScript from 0 in UTF-16 units.
export const units = (line, column) => Array.from(line).slice(0, column - 1).join("").length;
export const column = (line, unit) => Array.from(line.slice(0, unit)).length + 1;

const WIDEST = 72;

const NARROW = "(max-width: 760px)"; // as in page.css

// For each row with a note the column at which it stands: one for the rows between two blank lines, and on a narrow page
// the end of the row.
export function noteColumns(rows, notes) {
  if (matchMedia(NARROW).matches) return new Map(rows.map((line, at) => [at + 1, wide(line)]));
  const columns = new Map();
  let block = [];
  const close = () => {
    const narrow = block.filter((row) => wide(rows[row - 1]) <= WIDEST);
    const most = Math.max(...narrow.map((row) => wide(rows[row - 1])));
    for (const row of block) columns.set(row, narrow.includes(row) ? most : wide(rows[row - 1]));
    block = [];
  };
  rows.forEach((line, at) => {
    if (!line.trim()) close();
    else if (notes.has(at + 1)) block.push(at + 1);
  });
  close();
  return columns;
}

// Columns of a monospaced font: Chinese characters take two.
export const wide = (text) =>
  Array.from(text).reduce((sum, each) => sum + (each === "\t" ? 4 : /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(each) ? 2 : 1), 0);

const MOST = 1000;

// The rows of two texts beside each other: [row before, row after], either 0 where there is none.
export function pairs(before, after) {
  const [old, now] = [lines(before), lines(after)];
  let first = 0;
  while (first < old.length && first < now.length && old[first] === now[first]) first++;
  let last = 0;
  while (last < old.length - first && last < now.length - first && old.at(-1 - last) === now.at(-1 - last)) last++;
  const [a, b] = [old.slice(first, old.length - last), now.slice(first, now.length - last)];
  const found = old.slice(0, first).map((_, at) => [at + 1, at + 1]);
  for (const [x, y] of middle(a, b)) found.push([x && x + first, y && y + first]);
  for (let k = last; k > 0; k--) found.push([old.length - k + 1, now.length - k + 1]);
  return found;
}

// The longest common rows, by the usual table.
function middle(a, b) {
  if (a.length * b.length > MOST * MOST) return [...a.map((_, k) => [k + 1, 0]), ...b.map((_, k) => [0, k + 1])];
  const best = Array.from({ length: a.length + 1 }, () => new Array(b.length + 1).fill(0));
  for (let x = a.length - 1; x >= 0; x--)
    for (let y = b.length - 1; y >= 0; y--)
      best[x][y] = a[x] === b[y] ? best[x + 1][y + 1] + 1 : Math.max(best[x + 1][y], best[x][y + 1]);
  const found = [];
  let [x, y] = [0, 0];
  while (x < a.length || y < b.length) {
    if (x < a.length && y < b.length && a[x] === b[y]) found.push([++x, ++y]);
    else if (y >= b.length || (x < a.length && best[x + 1][y] >= best[x][y + 1])) found.push([++x, 0]);
    else found.push([0, ++y]);
  }
  return found;
}
