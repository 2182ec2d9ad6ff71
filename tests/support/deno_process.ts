import { linesOf } from "./jobs.ts";

/** Processes that a test run must not leave behind, whatever happens to the test. */
const running = new Set<Deno.ChildProcess>();

globalThis.addEventListener("unload", () => {
  for (const child of running) child.kill("SIGKILL");
});

/**
 * A Deno process that a test talks with in lines of JSON, one value a line.
 *
 * ```ts ignore
 * await using worker = DenoProcess.start(import.meta.resolve("./worker.ts"), server.url);
 * await worker.receive();
 * ```
 */
export class DenoProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;

  /** How it ended, once it has. */
  ended: Deno.CommandStatus | undefined;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#lines = linesOf(child.stdout);
    running.add(child);
    child.status.then((status) => {
      this.ended = status;
      running.delete(child);
    });
  }

  /** Starts a script with the imports that the tests have. */
  static start(url: string, ...args: string[]): DenoProcess {
    const child = new Deno.Command(Deno.execPath(), {
      // Its types are checked with the tests, not each time that it runs.
      args: ["run", "--no-check", "--no-lock", ...importMap(), "--allow-all", url, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    return new DenoProcess(child);
  }

  /** Sends a value. */
  async send(value: unknown): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
  }

  /**
   * Receives the next value.
   *
   * @throws {Error} If the process ends without sending one.
   */
  async receive<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`The process ended without an answer: ${JSON.stringify(await this.#child.status)}`);
    return JSON.parse(value);
  }

  /** Says that there is nothing more to come. */
  async closeInput(): Promise<void> {
    await this.#input.close();
  }

  /** Sends it a signal, such as `SIGSTOP`. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Kills it at once, as `kill -9` does, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#kill();
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#input.abort().catch(() => {}); // the other end is gone
    while (!(await this.#lines.next()).done);
  }

  #kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended
    }
  }
}

/** Arguments for a Deno process that gives it the import map of this one, if this one has that of tests/offline. */
export function importMap(): string[] {
  const standIn = new URL("../offline/db_redis.ts", import.meta.url).href;
  if (import.meta.resolve("@db/redis") !== standIn) return [];
  return [`--import-map=${new URL("../offline/import_map.json", import.meta.url).href}`];
}
