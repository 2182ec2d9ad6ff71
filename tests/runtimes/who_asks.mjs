// deno-lint-ignore-file no-console -- what it prints is looked at
// Who asks, as the servers of the runtime that runs this tell it. Fails by an exception.
import { connect } from "@larder/larder";
import { health, rateLimit, session, sessionOf } from "@larder/larder/hono";
import { Hono } from "hono";
import assert from "node:assert/strict";
import { createServer } from "node:http";

const warnings = [];
console.warn = (line) => warnings.push(line);
const redis = await connect({ url: "memory:" });

const app = new Hono();
app.use(rateLimit(redis, { "/login": "AUTH", "*": "API" }));
app.use(session(redis));
app.get("/health", health(redis));
app.get("/login", async (c) => {
  await sessionOf(c).create("ada", {});
  return c.text("welcome");
});

async function ask(port) {
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/login`)).text(), "welcome");
  // Details are for this machine, so the address is known there too.
  assert.ok(Object.keys(await (await fetch(`http://127.0.0.1:${port}/health`)).json()).length > 1);
  const [{ device }] = await redis.sessions.list("ada");
  assert.match(device.address, /^(::ffff:)?127\.0\.0\.1$/);
  await redis.sessions.destroyAll("ada");
}

if (globalThis.Bun) {
  for (const fetch of [app.fetch, (request, server) => app.fetch(request, { server })]) {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
    await ask(server.port);
    await server.stop(true);
  }
  const guarded = redis.rateLimit.guard({ "*": "API" }, () => new Response("in"));
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: guarded });
  assert.equal(await (await fetch(`http://127.0.0.1:${server.port}/`)).text(), "in");
  await server.stop(true);
} else {
  const { serve } = await import("@hono/node-server");
  const server = await new Promise((resolve) => {
    const started = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, () => resolve(started));
  });
  await ask(server.address().port);
  server.closeAllConnections?.();
  server.close();
}

const guarded = redis.rateLimit.guard({ "*": "STATIC" }, () => new Response("in"));
const plain = createServer(async (incoming, outgoing) => {
  const response = await guarded(new Request(`http://localhost${incoming.url}`), incoming);
  outgoing.end(await response.text());
});
await new Promise((resolve) => plain.listen(0, "127.0.0.1", resolve));
assert.equal(await (await fetch(`http://127.0.0.1:${plain.address().port}/`)).text(), "in");
plain.closeAllConnections?.();
plain.close();
assert.equal((await redis.rateLimit.peek("STATIC", "127.0.0.1")).remaining, 999);
assert.deepEqual(warnings, []);

// Nobody tells it: once is enough.
await app.fetch(new Request("http://localhost/login"));
await app.fetch(new Request("http://localhost/login"));
assert.equal(warnings.length, 1);
await redis.close();
console.log("done");
process.exit(0);
