/**
 * One of the processes of `known_bugs_test.ts`: a message kills it.
 *
 * @module
 */
import { connect } from "../../mod.ts";

const redis = await connect({ url: Deno.args[0]!, namespace: "jobs", on: () => {} });
const jobs = redis.streams.stream<number>("jobs");
jobs.consume("g", { concurrency: 4, lease: "200ms", maxAttempts: 3 }, async ({ value }) => {
  if (value < 0) Deno.exit(1);
  await new Promise((resolve) => setTimeout(resolve, 20)); // still at work when that one comes
});
