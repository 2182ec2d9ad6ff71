import { exchange, parseRedisUrl, RespError } from "../tests/support/resp.ts";

/** The keys of tests, whose namespaces all end with an id of their own. */
const OF_TESTS =
  /^\{(?:bugs|cache|contract|images|limits|sessions|soak|test)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}[^}]*\}:/;
/** How many keys are looked at in one step. */
const STEP = 1000;

/**
 * Removes what tests left on a server that was there before them.
 *
 * @param url Where it is.
 */
export async function sweepKeys(url: string): Promise<void> {
  const address = parseRedisUrl(url);
  for (let cursor = "0", first = true; first || cursor !== "0"; first = false) {
    const [reply] = await exchange(address, [["SCAN", cursor, "MATCH", "{*-*-*-*-*}:*", "COUNT", String(STEP)]]);
    if (reply instanceof RespError) throw reply;
    const [next, keys] = reply as [string, string[]];
    const ours = keys.filter((key) => OF_TESTS.test(key));
    if (ours.length > 0) await exchange(address, [["UNLINK", ...ours]]);
    cursor = next;
  }
}
