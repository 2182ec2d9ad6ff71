/** A piece of code in a document. */
export interface Fence {
  /** The document, as it was named. */
  file: string;
  /** Where the code begins, from 1. */
  line: number;
  /** What stands behind the backticks: the language, and `ignore` if it is not to be run. */
  info: string;
  /** The code. */
  code: string;
}

/** What Deno's own doc tests have no place for: it does not end. */
const SERVES = /^(?:export )?(?:(?:const|let) \w+ = )?(?:await )?(?:Deno\.serve|app\.listen)\(/m;
/** A server that the code ends itself. */
const ENDS = /^await \w+\.(?:shutdown|\[Symbol\.asyncDispose\])\(/m;
const FENCE = /^```([^\n`]*)\n([\s\S]*?)^```$/gm;

/**
 * Tells whether code is a server, which runs until it is stopped.
 *
 * @param fence The code.
 * @returns Whether a line of it starts one.
 */
export function serves({ info, code }: Fence): boolean {
  return /^(?:ts|js|typescript|javascript)\b/.test(info) && SERVES.test(code) && !ENDS.test(code);
}

/**
 * Finds the code in a document.
 *
 * @param file Its name, which tells Markdown from TypeScript with JSDoc.
 * @param text Its text.
 * @returns All pieces, in their order.
 */
export function fencesOf(file: string, text: string): Fence[] {
  const markdown = markdownOf(file, text);
  return [...markdown.matchAll(FENCE)].map(({ index, 1: info, 2: code }) => ({
    file,
    line: markdown.slice(0, index).split("\n").length + 1,
    info: info!,
    code: code!,
  }));
}

/** The text of a document; of TypeScript its JSDoc, line by line. */
function markdownOf(file: string, text: string): string {
  if (file.endsWith(".md")) return text;
  let inside = false;
  return text.split("\n").map((line) => {
    const opens = /^\s*\/\*\*/.test(line);
    inside ||= opens;
    const shown = inside && !opens ? line.replace(/^\s*\* ?/, "").replace(/\*\/\s*$/, "") : "";
    if (line.includes("*/")) inside = false;
    return shown;
  }).join("\n");
}

/**
 * Lists the documents of a place.
 *
 * @param root The folder of the project, with a slash at the end.
 * @param path A file or a folder in it.
 * @returns Their paths relative to the root: Markdown, and TypeScript for its JSDoc. None if it is not there.
 */
export async function documentsIn(root: string, path: string): Promise<string[]> {
  const name = path.replace(/^\.\//, "").replace(/\/+$/, "");
  if (/\.(?:md|ts)$/.test(name)) return [name];
  const found: string[] = [];
  if (!await Deno.stat(`${root}${name}`).then(({ isDirectory }) => isDirectory, () => false)) return found;
  for await (const entry of Deno.readDir(`${root}${name}`)) {
    found.push(...await documentsIn(root, `${name}/${entry.name}`));
  }
  return found.sort();
}
