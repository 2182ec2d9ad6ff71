import assert from "node:assert/strict";

async function ask(url, init = {}) {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Looks whether a service has sessions, limits, pages that are made anew behind the scenes, health and metrics. */
export async function check(open, redis) {
  let made = 0;
  const service = await open(redis, async () => {
    const number = ++made;
    await new Promise((resolve) => setTimeout(resolve, 2));
    return `page ${number}`;
  });
  const { url } = service;
  try {
    const first = await ask(`${url}/pages/bread`);
    assert.deepEqual([first.text, first.headers.get("x-cache")], ["page 1", "MISS"]);
    const deadline = Date.now() + 20_000;
    let stale = false;
    for (let text = "page 1"; text === "page 1" || !stale;) {
      assert.ok(Date.now() < deadline, `it is made anew: ${text}, ${made} times`);
      const answer = await ask(`${url}/pages/bread`);
      text = answer.text;
      stale ||= answer.headers.get("x-cache") === "STALE";
      assert.ok(answer.status === 200 && text.startsWith("page "), `${answer.status} ${text}`);
    }
    const login = await ask(`${url}/login`, { method: "POST" });
    assert.deepEqual([login.text, login.headers.getSetCookie().length], ["ada", 1]);
    assert.ok(login.headers.has("ratelimit"));
    const cookie = login.headers.getSetCookie()[0].split(";")[0];
    assert.equal((await ask(`${url}/me`, { headers: { cookie } })).text, "ada");
    const nobody = await ask(`${url}/me`);
    assert.deepEqual([nobody.text, nobody.headers.getSetCookie()], ["nobody", []]);
    const statuses = [];
    for (let i = 0; i < 5; i++) statuses.push((await ask(`${url}/login`, { method: "POST" })).status);
    assert.deepEqual(statuses, [200, 200, 200, 200, 429]);
    const health = await ask(`${url}/health`);
    assert.deepEqual([health.status, JSON.parse(health.text).status], [200, "ok"]);
    assert.ok(Object.keys(JSON.parse(health.text)).length > 1, "who asks from this machine is told details");
    assert.match((await ask(`${url}/metrics`)).text, /larder_sessions_total\{change="created"\} \d/);
  } finally {
    await service.close();
  }
}
