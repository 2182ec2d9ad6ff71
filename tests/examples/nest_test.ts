import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Larder } from "../../mod.ts";
import { LARDER } from "../../examples/nest/larder_module.ts";
import { open } from "../../examples/nest/main.ts";
import { until } from "../support/until.ts";

async function ask(url: string, init: RequestInit = {}): Promise<{ status: number; headers: Headers; text: string }> {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

Deno.test("The example for NestJS: services, guard, interceptor, sessions, health and metrics", async () => {
  const app = await open({ url: "memory:", sessions: { cookie: { insecure: true } } });
  try {
    await app.listen(0, "127.0.0.1");
    const url = await app.getUrl();
    const post = { method: "POST" };
    // The service is that of document 004.
    const first = await ask(`${url}/users/7`);
    assertEquals(JSON.parse(first.text).id, "7");
    assertEquals((await ask(`${url}/users/7`)).text, first.text);
    assertEquals((await ask(`${url}/users/7`, post)).text, '{"changed":"7"}');
    assert((await ask(`${url}/users/7`)).text !== first.text);
    // The interceptor keeps what a handler gives.
    const list = await ask(`${url}/users?page=1`);
    assertEquals((await ask(`${url}/users?page=1`)).text, list.text);
    assert((await ask(`${url}/users?page=2`)).text !== list.text);
    // What is stale is given at once, and made anew.
    await app.get<Larder>(LARDER).cache.invalidateByTag("users", { mode: "stale" });
    assertEquals((await ask(`${url}/users?page=1`)).text, list.text);
    await until(async () => (await ask(`${url}/users?page=1`)).text !== list.text, "the list is made anew");
    // Sessions.
    const login = await ask(`${url}/login`, post);
    assertEquals(login.text, '{"user":"ada"}');
    const cookie = login.headers.getSetCookie()[0]!.split(";")[0]!;
    assertEquals((await ask(`${url}/me`, { headers: { cookie } })).text, '{"user":"ada"}');
    assertEquals((await ask(`${url}/me`)).text, '{"user":null}');
    // The guard counts, and refuses.
    assert(list.headers.has("ratelimit"));
    const statuses: number[] = [];
    for (let i = 0; i < 5; i++) statuses.push((await ask(`${url}/login`, post)).status);
    assertEquals(statuses, [201, 201, 201, 201, 429]);
    const refused = await ask(`${url}/login`, post);
    assert(refused.headers.has("retry-after") && JSON.parse(refused.text).status === 429);
    assertEquals(JSON.parse((await ask(`${url}/health`)).text).status, "ok");
    assertMatch((await ask(`${url}/metrics`)).text, /^larder_/m);
    assertEquals((await ask(`${url}/users/7`, { method: "HEAD" })).status, 200);
    assertEquals((await ask(`${url}/nowhere`)).status, 404);
  } finally {
    await app.close();
  }
});
