import { assertEquals } from "@std/assert";
import { documentsIn } from "../../tools/fences.ts";

const ROOT = decodeURIComponent(new URL("../../", import.meta.url).pathname);
/** Where Markdown is written for people. */
const PLACES = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "docs",
  "deploy",
  "examples",
  "bench",
  "tests",
];

const LINK = /\[[^\]]*\]\(\s*([^)\s]+)[^)]*\)/g;
const REFERENCE = /^\[[^\]]+\]:\s*(\S+)/gm;

/** The text without its code, which may look like links. */
function withoutCode(text: string): string {
  return text.replace(/^(```|~~~)[^]*?^\1\s*$/gm, "").replace(/`[^`\n]*`/g, "");
}

/** The anchors of a document, as GitHub and JSR make them of its headings. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  const headings = text.replace(/^(```|~~~)[^]*?^\1\s*$/gm, "").matchAll(/^#{1,6} +(.+?) *#*$/gm);
  for (const [, title] of headings) {
    const shown = title!.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*]/g, "");
    const slug = shown.toLowerCase().replace(/[^\p{L}\p{N}_\- ]/gu, "").replaceAll(" ", "-");
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

async function markdownFiles(): Promise<string[]> {
  const files = await Promise.all(PLACES.map((path) => documentsIn(ROOT, path)));
  return files.flat().filter((file) => file.endsWith(".md"));
}

/** The links of a document that lead to nothing in this project. */
async function deadLinks(file: string, text: string): Promise<string[]> {
  const shown = withoutCode(text);
  const targets = [...shown.matchAll(LINK), ...shown.matchAll(REFERENCE)].map(([, target]) => target!);
  const dead: string[] = [];
  for (const target of targets) {
    if (/^[a-z]+:/i.test(target)) continue; // another site
    const url = new URL(target, `file://${ROOT}${file}`);
    const path = decodeURIComponent(url.pathname);
    const there = await Deno.stat(path).then(() => true, () => false);
    const named = url.hash === "" ? undefined : decodeURIComponent(url.hash.slice(1));
    const read = async () => path === `${ROOT}${file}` ? text : await Deno.readTextFile(path);
    if (!there || named !== undefined && !anchorsOf(await read()).has(named)) dead.push(target);
  }
  return dead;
}

Deno.test("Links of the documents lead to a file, and to a heading of it", async () => {
  const dead: string[] = [];
  for (const file of await markdownFiles()) {
    const text = await Deno.readTextFile(`${ROOT}${file}`).catch(() => undefined);
    if (text === undefined) continue; // as in a package
    for (const target of await deadLinks(file, text)) dead.push(`${file}: ${target}`);
  }
  assertEquals(dead, []);
});

Deno.test("Links that lead nowhere are found", async () => {
  const text =
    "# A\n[a](#a) [b](#b) [c](docs/none.md) [d][e] [f](README.md#none) `[g](h)` [i](https://none.example)\n\n[e]: docs/j.md\n";
  assertEquals(await deadLinks("docs/README.md", text), ["#b", "docs/none.md", "README.md#none", "docs/j.md"]);
});

Deno.test("docs/README.md names each page, and README few enough lines to be read", async () => {
  const contents = await Deno.readTextFile(`${ROOT}docs/README.md`);
  const pages = (await documentsIn(ROOT, "docs")).map((page) => page.replace("docs/", "")).filter((page) =>
    page !== "README.md"
  );
  assertEquals(pages.filter((page) => !contents.includes(`](${page})`)), []);
  const lines = (await Deno.readTextFile(`${ROOT}README.md`)).split("\n").length;
  assertEquals(lines <= 350, true, `README.md has ${lines} lines: what is longer than 350 belongs to docs`);
});
