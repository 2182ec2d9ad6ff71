/**
 * Runs in a container on Traefik's network and does what Traefik would do: finds the tasks of the app by name, asks
 * each whether it is ready, and sends requests to those that are. Reads a list of actions from its arguments and prints
 * one line of JSON for each.
 *
 * @module
 */
// deno-lint-ignore-file no-console

/** One answer. */
export interface Answer {
  status: number;
  task: string;
  cookie: string | null;
  // deno-lint-ignore no-explicit-any -- whatever the app said
  body: any;
}

/** What became of the requests under load. */
export interface Load {
  requests: number;
  failures: string[];
  /** How many of the requests with a session were told that sessions are not available. */
  unavailable: number;
  /** Tasks that answered, in the order of their first answer. */
  tasks: string[];
  /** The longest that one took, in milliseconds. */
  slowest: number;
}

const [action, ...args] = Deno.args;
switch (action) {
  case "resolve":
    print(await resolve(args[0]!));
    break;
  case "send":
    print(await Promise.all((JSON.parse(args[0]!) as Parameters<typeof send>[]).map((request) => send(...request))));
    break;
  case "load":
    print(await load(Number(args[0]), args[1]!));
    break;
}

function print(value: unknown): void {
  console.log(JSON.stringify(value));
}

async function resolve(name: string): Promise<string[]> {
  return (await Deno.resolveDns(name, "A").catch(() => [])).sort();
}

async function send(address: string, path: string, options: { method?: string; body?: unknown; cookie?: string } = {}) {
  const { method = "GET", body, cookie } = options;
  const response = await fetch(`http://${address}:8000${path}`, {
    method,
    signal: AbortSignal.timeout(10_000),
    headers: cookie ? { cookie } : {},
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const answer: Answer = {
    status: response.status,
    task: response.headers.get("x-task") ?? "",
    cookie: response.headers.get("set-cookie")?.split(";")[0] ?? null,
    body: text.startsWith("{") ? JSON.parse(text) : text,
  };
  return answer;
}

/** Sends requests until the standard input ends, as Traefik would, but never a second time. */
async function load(callers: number, cookie: string): Promise<Load> {
  const result: Load = { requests: 0, failures: [], unavailable: 0, tasks: [], slowest: 0 };
  let known: string[] = [];
  let ready: string[] = [];
  let running = true;
  const look = async () => known = await resolve("tasks.app"); // each 15 seconds, as Traefik does
  const check = async () => { // each 5 seconds, as the labels say
    const answers = await Promise.all(known.map(async (address) => {
      const status = await send(address, "/health?ready").then(({ status }) => status, () => 0);
      return status === 200 ? [address] : [];
    }));
    ready = answers.flat();
  };
  await look();
  await check();
  const timers = [setInterval(look, 15_000), setInterval(check, 5_000)];
  let turn = 0;
  const call = async () => {
    while (running) {
      const address = ready[++turn % ready.length]!;
      const path = turn % 3 === 0 ? "/whoami" : "/products/101";
      const began = performance.now();
      result.requests++;
      try {
        const { status, task } = await send(address, path, { cookie });
        if (status === 503 && path === "/whoami") result.unavailable++;
        else if (status !== 200) result.failures.push(`${address} ${path} ${status}`);
        if (!result.tasks.includes(task)) result.tasks.push(task);
      } catch (error) {
        result.failures.push(`${address} ${path} ${error}`);
      }
      result.slowest = Math.max(result.slowest, Math.round(performance.now() - began));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const calls = Promise.all(Array.from({ length: callers }, call));
  for await (const _ of Deno.stdin.readable);
  running = false;
  await calls;
  for (const timer of timers) clearInterval(timer);
  return result;
}
