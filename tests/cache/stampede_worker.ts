/**
 * One of the processes of `stampede_test.ts`: does what it is told by lines of JSON, and tells how it went.
 *
 * @module
 */
import { connect } from "../../mod.ts";
import { jobs, report as send } from "../support/jobs.ts";

/** What the process is told to do. */
export interface Order {
  /** `hold`: load and never end · `get`: ask with all callers at once. */
  readonly what: "hold" | "get";
  readonly key: string;
  readonly callers: number;
  /** Milliseconds that a loader takes. */
  readonly takes: number;
  readonly lease: string;
}

/** How it went. */
export interface Report {
  /** How many loaders ran. */
  readonly loads: number;
  /** When each caller had its value, in milliseconds since 1970. */
  readonly returned: readonly number[];
  /** The different values that callers were given. */
  readonly values: readonly unknown[];
}

let missed = 0;
let expected = Infinity;
// A busy machine is not what is tested here.
const { cache } = await connect({
  url: Deno.args[0]!,
  namespace: Deno.args[1]!,
  commandTimeout: "10s",
  on: ({ type }) => {
    if (type === "cache.miss" && ++missed === expected) send("missed");
  },
});
await cache.getOrSet("warm", () => 1);
send("ready");
for await (const { what, key, callers, takes, lease } of jobs<Order>()) {
  if (what === "hold") {
    cache.getOrSet(key, () => new Promise(() => send("loading")), { lease });
    continue;
  }
  let loads = 0;
  const returned: number[] = [];
  const values = new Set<unknown>();
  const load = async () => {
    loads++;
    await new Promise((resolve) => setTimeout(resolve, takes));
    return `loaded by ${Deno.pid}`;
  };
  [missed, expected] = [0, callers];
  await Promise.all(Array.from({ length: callers }, async () => {
    values.add(await cache.getOrSet(key, load, { ttl: "1m", tags: ["some"], lease }));
    returned.push(Date.now());
  }));
  expected = Infinity;
  send({ loads, returned, values: [...values] } satisfies Report);
}
