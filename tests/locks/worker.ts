/**
 * One of the processes of `processes_test.ts`: adds to a number in a file under a lock, so often as it is told, or
 * holds a lock and looks
 * at it when it is told.
 *
 * @module
 */
import { connect } from "../../mod.ts";

// deno-lint-ignore no-console
const send = (value: unknown): void => console.log(JSON.stringify(value));
const [url, what, file] = Deno.args as [string, string, string];
const { locks } = await connect({ url, namespace: "locks", commandTimeout: "10s" });

/** Writes, if the number is not smaller than the largest that wrote before. */
function write(add: number, token: number): boolean {
  const { value, fence } = JSON.parse(Deno.readTextFileSync(file));
  if (token < fence) return false;
  const next = `${file}.${Deno.pid}`;
  Deno.writeTextFileSync(next, JSON.stringify({ value: value + add, fence: token }));
  Deno.renameSync(next, file);
  return true;
}

if (what === "count") {
  send("ready");
  for (let left = Number(Deno.args[3]); left > 0; left--) {
    await locks.withLock("file", { ttl: "2s", wait: "10m" }, ({ token }) => {
      if (!write(1, token)) throw new Error("a smaller number than before");
    });
    send(left);
  }
  send("done");
} else {
  const lock = await locks.acquire("file", { ttl: "1s", wait: "10m" });
  send(lock.token);
  await Deno.stdin.read(new Uint8Array(64));
  // The first that runs after a pause.
  const held = lock.held;
  send({ held, wrote: write(1000, lock.token), aborted: lock.signal.aborted });
}
Deno.exit(0);
