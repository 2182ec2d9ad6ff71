// deno-lint-ignore-file no-console -- what it prints is looked at
// The example for NestJS on the runtime that runs this, with a page that is made anew. Fails by an exception.
import assert from "node:assert/strict";

// Beside it in the project, elsewhere in the repository.
const from = async (module) => await import(new URL(`./nest/${module}.ts`, import.meta.url).href);
const { LARDER } = await from("larder_module");
const { open } = await from("main");

async function ask(url, init = {}) {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const app = await open({ url: "memory:", sessions: { cookie: { insecure: true } } });
await app.listen(0, "127.0.0.1");
const url = await app.getUrl();
const post = { method: "POST" };
const first = await ask(`${url}/users/7`);
assert.equal((await ask(`${url}/users/7`)).text, first.text);
const list = (await ask(`${url}/users`)).text;
assert.equal((await ask(`${url}/users`)).text, list);
await app.get(LARDER).cache.invalidateByTag("users", { mode: "stale" });
assert.equal((await ask(`${url}/users`)).text, list, "the old one, at once");
const deadline = Date.now() + 20_000;
while ((await ask(`${url}/users`)).text === list) assert.ok(Date.now() < deadline, "it is made anew");
const login = await ask(`${url}/login`, post);
const cookie = login.headers.getSetCookie()[0].split(";")[0];
assert.equal((await ask(`${url}/me`, { headers: { cookie } })).text, '{"user":"ada"}');
const statuses = [];
for (let i = 0; i < 5; i++) statuses.push((await ask(`${url}/login`, post)).status);
assert.deepEqual(statuses, [201, 201, 201, 201, 429]);
assert.equal(JSON.parse((await ask(`${url}/health`)).text).status, "ok");
assert.match((await ask(`${url}/metrics`)).text, /^larder_/m);
await app.close();
console.log("done");
process.exit(0);
