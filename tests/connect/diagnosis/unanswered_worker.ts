/**
 * Gives up a Redis that does not answer, and ends: `unanswered_worker.ts URL`.
 *
 * @module
 */
// deno-lint-ignore-file no-console -- it talks in lines
import { connect } from "../../../mod.ts";

await using redis = await connect({ url: Deno.args[0]!, connectTimeout: "300ms", on: () => {} });
console.log(JSON.stringify(await redis.ready({ timeout: "1s" }).catch(({ name }) => name)));
