import { connect, type ConnectOptions, type Health } from "../../mod.ts";
import { UnavailableError } from "../../src/errors.ts";

/** What somebody sees who has a Redis that does not do what it should, and no listener. */
export interface Seen {
  /** The lines on the console. */
  readonly console: string[];
  /** What `ready()` rejects with. */
  readonly ready: unknown;
  /** What `health()` says. */
  readonly health: Health;
  /** What a session rejects with. */
  readonly session: unknown;
}

type Larder = Awaited<ReturnType<typeof connect>>;

/** Takes the lines that go to the console until it is disposed of. */
export class ConsoleLines implements Disposable {
  /** The lines so far. */
  readonly lines: string[] = [];
  // deno-lint-ignore no-console -- what is printed is what is tested
  readonly #warn = console.warn;

  constructor() {
    // deno-lint-ignore no-console -- as above
    console.warn = (...args: unknown[]) => void this.lines.push(args.map(String).join(" "));
  }

  [Symbol.dispose](): void {
    // deno-lint-ignore no-console -- as above
    console.warn = this.#warn;
  }
}

/**
 * Connects without a listener, and looks at all that tells what is wrong.
 *
 * @param options How to connect.
 * @param change What goes wrong after that, if it does not from the start.
 */
export async function see(options: ConnectOptions, change?: (larder: Larder) => Promise<unknown>): Promise<Seen> {
  using lines = new ConsoleLines();
  await using larder = await connect(options);
  if (change) {
    await larder.ready({ timeout: "10s" });
    await change(larder);
  }
  const failed = (promise: Promise<unknown>) => promise.then(() => undefined, (error) => error);
  const ready = await failed(larder.ready({ timeout: "600ms" }));
  const session = await failed(larder.sessions.create("ada", {}));
  return { ready, session, health: await larder.health(), console: [...lines.lines] };
}

/** An error and its causes, each as `name: message`. */
export function chainOf(error: unknown): string[] {
  const chain: string[] = [];
  for (let each = error; each instanceof Error; each = each.cause) chain.push(`${each.name}: ${each.message}`);
  return chain;
}

/** The reply or the error of the connection that is behind an error. */
export function causeOf(error: unknown): string {
  const cause = error instanceof UnavailableError ? error.cause : undefined;
  return cause instanceof Error ? cause.message : String(cause);
}
