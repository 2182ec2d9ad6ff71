/**
 * What callbacks of a guard may say or do: nothing of it ends a request, and no answer is a way around a limit.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import type { LarderEvent } from "../../src/observe/events.ts";
import type { GateOptions, Refusal, RouteLimits } from "../../src/rate_limit/guard.ts";
import type { RateLimiter } from "../../src/rate_limit/rate_limiter.ts";
import { RedisServer } from "../support/redis_server.ts";

const PEER = { remoteAddr: { transport: "tcp", hostname: "203.0.113.9", port: 1 } };
const ADDRESS = "203.0.113.9";
const hello = () => new Response("hello");
const fail = () => {
  throw new Error("broken");
};
const reject = () => Promise.reject(new Error("broken"));

interface Opened extends AsyncDisposable {
  readonly limiter: RateLimiter;
  readonly warnings: string[];
  readonly events: LarderEvent[];
}

async function open(url: string): Promise<Opened> {
  const events: LarderEvent[] = [];
  const redis = await connect({
    url,
    namespace: `answers-${crypto.randomUUID()}`,
    rateLimit: { timeout: "10s" },
    on: (event) => void events.push(event),
  });
  return {
    limiter: redis.rateLimit,
    events,
    get warnings() {
      return events.flatMap((event) => event.type === "warning" ? [event.message] : []);
    },
    [Symbol.asyncDispose]: () => redis[Symbol.asyncDispose](),
  };
}

type Limits = Omit<RouteLimits, "limits">;

/** Asks a service that limits all by AUTH, five in five minutes. */
function serve({ limiter }: Opened, limits: Limits, options: GateOptions = {}) {
  const handler = limiter.guard({ "*": { limits: "AUTH", ...limits } }, hello, options);
  return (headers: Record<string, string> = {}) => handler(new Request("http://localhost/", { headers }), PEER);
}

const left = async ({ limiter }: Opened, id: string) => (await limiter.peek("AUTH", id)).remaining;

for (const store of ["memory", "redis"]) {
  Deno.test(`RateLimiter.guard() takes any answer of its callbacks, on ${store}`, async (t) => {
    await using server = store === "redis" ? await RedisServer.start() : undefined;
    const url = server?.url ?? "memory:";

    await t.step("a cost of 0 passes uncounted, also when nothing is left", async () => {
      await using opened = await open(url);
      let cost = 5;
      const ask = serve(opened, { cost: () => cost });
      await ask();
      cost = 0;
      for (let i = 0; i < 3; i++) {
        const response = await ask();
        assertEquals([response.status, response.headers.get("RateLimit")], [200, null]);
      }
      cost = 1;
      assertEquals((await ask()).status, 429);
      assertEquals(opened.warnings, []);
    });
    await t.step("a cost above the limit is refused and not counted", async () => {
      await using opened = await open(url);
      const refusals: Refusal[] = [];
      let cost = 6;
      const ask = serve(opened, { cost: () => cost }, { onLimited: (refusal) => refusals.push(refusal) });
      for (cost of [6, 1e12, Infinity]) {
        const response = await ask();
        assertEquals([response.status, response.headers.get("Retry-After")], [413, null]);
        assertEquals(response.headers.get("RateLimit-Policy"), '"AUTH";q=5;w=300');
        assertEquals(response.headers.get("RateLimit"), '"AUTH";r=5;t=0');
        assertEquals(response.headers.get("Content-Type"), "application/problem+json");
        assertEquals((await response.json())["violated-policies"], ["AUTH"]);
      }
      assertEquals(await left(opened, ADDRESS), 5);
      assertEquals(refusals.map(({ id, route }) => [id, route]), Array(3).fill([ADDRESS, "*"]));
      assertEquals(opened.events.filter(({ type }) => type === "limit.refused").length, 3);
    });
    await t.step("a cost that is none counts as 1", async () => {
      for (const cost of [NaN, -1, 1.5, "3", null, undefined, {}]) {
        await using opened = await open(url);
        assertEquals((await serve(opened, { cost: () => cost as number })()).status, 200);
        assertEquals([await left(opened, ADDRESS), opened.warnings.length], [4, 1], String(cost));
      }
    });
    await t.step("a callback that throws counts by address with a cost of 1, and is told of once", async () => {
      for (const broken of [fail, reject]) {
        const all: Limits[] = [{ by: broken }, { by: "user" }, { cost: broken }, { skip: broken }];
        for (const limits of all) {
          await using opened = await open(url);
          const ask = serve(opened, limits, { user: broken });
          for (let i = 0; i < 6; i++) assertEquals((await ask()).status, i < 5 ? 200 : 429);
          assertEquals(await left(opened, ADDRESS), 0);
          assertEquals(opened.warnings.length, 1, JSON.stringify(opened.warnings));
          assert(opened.warnings[0]!.endsWith('of the guard on "*": broken'), opened.warnings[0]);
        }
      }
    });
    await t.step("a function that gives nothing counts by address", async () => {
      for (const nothing of [null, undefined, ""]) {
        for (const by of ["user", () => nothing] as const) {
          await using opened = await open(url);
          await serve(opened, { by: by as "user" }, { user: () => nothing as undefined })();
          assertEquals([await left(opened, ADDRESS), opened.warnings], [4, []], String(nothing));
        }
      }
    });
    await t.step("a number is an id, anything else is told of and counts by address", async () => {
      await using opened = await open(url);
      let id: unknown = 7;
      const ask = serve(opened, { by: () => id as string });
      for (id of [7, 7n, "7"]) await ask();
      assertEquals([await left(opened, "by:7"), opened.warnings], [2, []]);
      for (id of [{}, [], true, Symbol("x"), () => "7"]) await ask();
      assertEquals([await left(opened, ADDRESS), opened.warnings.length], [0, 1]);
    });
    await t.step("ids of each kind have a space of their own", async () => {
      await using opened = await open(url);
      const answers: Record<string, string> = {};
      const ask = serve(opened, { by: () => answers.by });
      const asUser = serve(opened, { by: "user" }, { user: () => answers.user });
      for (const name of [ADDRESS, "user:ada", "by:ada", "header:by:x", "unknown"]) {
        answers.by = name;
        await ask();
        assertEquals(await left(opened, name), 5, name);
        assertEquals(await left(opened, `by:${name}`), 4, name);
        answers.user = name;
        await asUser();
        assertEquals(await left(opened, name), 5, name);
        assertEquals(await left(opened, `user:${name}`), 4, name);
      }
      // Headers of these names are no way into the other spaces either.
      for (const name of ["by", "user", "x-tenant"]) {
        const ask = serve(opened, { by: `header:${name}` });
        await ask({ [name]: ADDRESS });
        const refused = await Promise.all(Array.from({ length: 6 }, () => ask({ [name]: "198.51.100.7" })));
        assertEquals(refused.filter(({ status }) => status === 429).length, 1);
      }
      const ids = opened.events.flatMap((event) =>
        event.type === "limit.refused" ? [event.id.split(":").slice(0, 2)] : []
      );
      assertEquals(ids, [["header", "by"], ["header", "user"], ["header", "x-tenant"]]);
      assertEquals(await left(opened, "198.51.100.7"), 5);
      assertEquals(await left(opened, ADDRESS), 5);
    });
    await t.step("an id of 1 MB, and a header of 1 MB", async () => {
      await using opened = await open(url);
      const long = "x".repeat(1_000_000);
      const ask = serve(opened, { by: () => long });
      for (let i = 0; i < 6; i++) assertEquals((await ask()).status, i < 5 ? 200 : 429);
      const byHeader = serve(opened, { by: "header:x-key" });
      for (let i = 0; i < 6; i++) assertEquals((await byHeader({ "x-key": long })).status, i < 5 ? 200 : 429);
      assert(JSON.stringify(opened.events).length < 10_000);
    });
    await t.step("a response of one's own that fails is the usual one", async () => {
      const used = new Response("used");
      await used.text();
      const locked = new Response("locked");
      locked.body!.getReader();
      for (const respond of [fail, reject, () => undefined, () => "429", () => used, () => locked]) {
        await using opened = await open(url);
        const ask = serve(opened, {}, { respond: respond as never });
        await opened.limiter.penalize("AUTH", ADDRESS, 5);
        const response = await ask();
        assertEquals([response.status, response.headers.get("Content-Type")], [429, "application/problem+json"]);
      }
    });
    await t.step("whoever is told of a refusal may fail, at once or later", async () => {
      for (const onLimited of [fail, reject]) {
        await using opened = await open(url);
        const ask = serve(opened, {}, { onLimited: onLimited as () => void });
        for (let i = 0; i < 7; i++) assertEquals((await ask()).status, i < 5 ? 200 : 429);
        assertEquals(opened.warnings, []);
      }
    });
    await t.step("[] exempts a route, and nothing else", async () => {
      await using opened = await open(url);
      const handler = opened.limiter.guard({ "/health": [], "GET /ready": [], "*": "AUTH" }, hello);
      const ask = (path: string, method = "GET") => handler(new Request(`http://localhost${path}`, { method }), PEER);
      for (let i = 0; i < 9; i++) {
        for (
          const [path, method] of [["/health"], ["/health", "POST"], ["/health?x"], ["/ready"], ["/ready", "HEAD"]]
        ) {
          const response = await ask(path!, method);
          assertEquals([response.status, response.headers.get("RateLimit")], [200, null]);
        }
      }
      for (const path of ["/health/", "/Health", "//health", "/%68ealth", "/health;x", "/healthy", "/x/health"]) {
        await opened.limiter.reset("AUTH", ADDRESS);
        await ask(path);
        assertEquals(await left(opened, ADDRESS), 4, path);
      }
      await opened.limiter.reset("AUTH", ADDRESS);
      await ask("/ready", "POST");
      assertEquals(await left(opened, ADDRESS), 4);
    });
  });
}
