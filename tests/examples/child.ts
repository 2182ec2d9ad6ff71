/** What a child process left behind. */
export interface Ended {
  /** Its exit code. */
  code: number;
  /** What it wrote to standard output. */
  output: string;
  /** What it wrote to standard error. */
  errors: string;
}

/** How a child process is started. */
export interface ChildOptions {
  /** Variables on top of those of this process. */
  env?: Record<string, string>;
  /** What it reads from standard input. */
  input?: string;
  /** Where it runs. @default {the root of the project} */
  cwd?: string;
}

/** The folder of the project, with a slash at the end. */
export const ROOT: string = decodeURIComponent(new URL("../../", import.meta.url).pathname);
/** No Redis but the one that a test names, and text without colours. */
const ENV = { REDIS_URL: "", REDIS_HOST: "", NO_COLOR: "1" };

/** Whether the stand-in for `@db/redis` is used here. */
const offline = import.meta.resolve("@db/redis").includes("/tests/offline/");

/** What a child needs to use Redis: nothing, or the stand-in, which looks through the whole environment. */
export const REDIS_CLIENT: readonly string[] = offline
  ? [`--import-map=${ROOT}tests/offline/import_map.json`, "--allow-env"]
  : [];

/** Starts this Deno. */
export function startDeno(args: readonly string[], options: ChildOptions = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: options.cwd ?? ROOT,
    env: { ...ENV, ...options.env },
    stdin: options.input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs this Deno in the root of the project until it ends. */
export async function runDeno(args: readonly string[], options: ChildOptions = {}): Promise<Ended> {
  const child = startDeno(args, options);
  if (options.input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(options.input));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout), errors: decoder.decode(stderr) };
}

/** Reads until a text matches, and leaves the rest. */
export async function readUntil(pattern: RegExp, stream: ReadableStream<Uint8Array>): Promise<RegExpExecArray> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream.values({ preventCancel: true })) {
    text += decoder.decode(chunk, { stream: true });
    const match = pattern.exec(text);
    if (match) return match;
  }
  throw new Error(`Cannot find ${pattern}: got\n${text}`);
}

/** What Deno is given by a task of deno.json. */
export async function taskArguments(name: string): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const [program, ...args] = (tasks[name] as string).split(" ");
  if (program !== "deno") throw new Error(`Cannot run the task "${name}": wanted one of Deno, got "${program}"`);
  return args;
}
