// Bundles codemirror.js with what it imports into the page's folder, and beside it the licences of what it brings.

import { build } from "esbuild";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const page = join(here, "../fastlstm_lint/playground/page");

const { metafile } = await build({
  entryPoints: [join(here, "codemirror.js")],
  outfile: join(page, "codemirror.js"),
  absWorkingDir: here,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "inline",
  metafile: true,
});

// A package's folder: node_modules/name, or node_modules/@scope/name.
const folders = new Set(Object.keys(metafile.inputs).map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]));
const texts = [...folders].filter(Boolean).sort().map((folder) => {
  const whole = join(here, folder);
  const { name, version } = JSON.parse(readFileSync(join(whole, "package.json"), "utf8"));
  const file = readdirSync(whole).find((each) => /^licen[cs]e/i.test(each));
  if (!file || !existsSync(join(whole, file))) throw new Error(`${name} has no licence`);
  return `${name} ${version}\n\n${readFileSync(join(whole, file), "utf8").trim()}\n`;
});
writeFileSync(join(page, "codemirror.LICENSES.txt"), texts.join("\n----\n\n"));
console.log(`${join(page, "codemirror.js")}: ${texts.length} packages`);
