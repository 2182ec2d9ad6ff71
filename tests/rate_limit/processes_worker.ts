/**
 * One of the processes of `processes_test.ts`: checks one limit so often at once as it is told by lines of JSON, and
 * tells what came.
 *
 * @module
 */
import { connect } from "../../mod.ts";
import { jobs, report as send } from "../support/jobs.ts";

/** What the process is told to do. */
export interface Order {
  readonly name: "AUTH" | "DEFAULT" | "API";
  readonly id: string;
  readonly calls: number;
  /** When to begin, in milliseconds since 1970. */
  readonly at: number;
}

/** What came. */
export interface Report {
  readonly allowed: number;
  readonly refused: number;
  readonly sources: readonly string[];
}

// A busy machine is not what is tested here.
const { rateLimit } = await connect({ url: Deno.args[0]!, commandTimeout: "10s", rateLimit: { timeout: "10s" } });
await rateLimit.peek("AUTH", "warm");
send("ready");
for await (const { name, id, calls, at } of jobs<Order>()) {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, at - Date.now())));
  const results = await Promise.all(Array.from({ length: calls }, () => rateLimit.check(name, id)));
  const allowed = results.filter((result) => result.allowed).length;
  const sources = [...new Set(results.map(({ source }) => source))];
  send({ allowed, refused: calls - allowed, sources } satisfies Report);
}
