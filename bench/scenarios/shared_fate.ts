import { connect } from "../../mod.ts";
import { cacheResponse } from "../../src/http/mod.ts";
import { TcpProxy } from "../../tests/support/proxy.ts";
import { RedisServer } from "../../tests/support/redis_server.ts";
import { median, type Row } from "../row.ts";
import type { Scenario } from "../scenario.ts";

const PAGES = 64;
const MIB = 2 ** 20;
/** For how long it is looked at, and how often somebody logs in, in milliseconds. */
const SECONDS = 6000;
const EVERY = 55;
/** A line of 20 MB/s. */
const LINE = 20e6;

/** What became of logins. */
interface Outcome {
  readonly times: number[];
  failed: number;
  /** How many of those that `AUTH` decided, Redis decided. */
  counted: number;
  /** How often a page was made. */
  runs: number;
}

/** One visitor reads large pages and hangs up, beside whom others log in; and large reads at the default deadline. */
export const SHARED_FATE: Scenario = {
  name: "shared-fate",
  async run({ server }) {
    await using other = await RedisServer.start();
    const quiet = await logins(server.url, undefined, false);
    const rows: Row[] = [];
    for (const [where, cacheUrl] of [["same server", undefined], ["cache on its own", other.url]] as const) {
      const busy = await logins(server.url, cacheUrl, true);
      const peer = (value: number, unit: "ms" | "logins") => ({
        name: "without that visitor",
        figure: { value, unit },
      });
      const work = `logins beside ${PAGES} x 1 MiB every 500 ms, hung up, ${where}`;
      rows.push(
        { work, ours: logged(busy), peer: peer(quiet.times.length, "logins") },
        {
          work: `${work}: failed`,
          ours: { value: busy.failed, unit: "logins" },
          peer: peer(quiet.failed, "logins"),
          goal: { of: "ours", most: 0 },
        },
        {
          work: `${work}: AUTH decided by Redis`,
          ours: { value: busy.counted, unit: "logins" },
          peer: peer(quiet.counted, "logins"),
        },
        { work: `${work}: p50`, ours: at(busy, 0.5), peer: peer(at(quiet, 0.5).value, "ms") },
        { work: `${work}: p99`, ours: at(busy, 0.99), peer: peer(at(quiet, 0.99).value, "ms") },
        { work: `${work}: pages made`, ours: { value: busy.runs, unit: "loads" }, goal: { of: "ours", most: PAGES } },
      );
    }
    for (const [line, rate] of [["a fast line", Infinity], ["a line of 20 MB/s", LINE]] as const) {
      rows.push(...await largeRead(server, line, rate));
    }
    return rows;
  },
};

const logged = ({ times }: Outcome) => ({ value: times.length, unit: "logins" }) as const;

function at({ times }: Outcome, share: number): { value: number; unit: "ms" } {
  const sorted = times.toSorted((a, b) => a - b);
  return { value: sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Infinity, unit: "ms" };
}

/** Logs in again and again, over HTTP, with default deadlines. */
async function logins(url: string, cacheUrl: string | undefined, attacked: boolean): Promise<Outcome> {
  await using redis = await connect({
    url,
    ...(cacheUrl !== undefined && { cacheUrl }),
    namespace: `bench-${crypto.randomUUID()}`,
    sessions: { cookie: { insecure: true } },
    on: () => {},
  });
  await redis.ready({ timeout: "10s" });
  const outcome: Outcome = { times: [], failed: 0, counted: 0, runs: 0 };
  const page = "x".repeat(MIB);
  const pages = cacheResponse(redis, { ttl: "1h" });
  const login = redis.sessions.withSession(async (_request, session) => {
    const result = await redis.rateLimit.check("AUTH", crypto.randomUUID());
    if (result.source === "redis") outcome.counted++;
    if (!result.allowed) return result.response();
    await session.regenerate({ userId: "ada" });
    return new Response("Welcome");
  }, { onError: () => new Response("Try again", { status: 503 }) });
  await using served = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request, info) => {
    if (new URL(request.url).pathname === "/login") return login(request, info);
    return pages(request, () => {
      outcome.runs++;
      return new Response(page);
    }, info);
  });
  const { port } = served.addr;
  for (let i = 0; i < PAGES; i++) await (await fetch(`http://127.0.0.1:${port}/pages/${i}`)).text();
  const visitor = attacked ? hangUp(port) : undefined;
  const under: Promise<void>[] = [];
  for (const end = performance.now() + SECONDS; performance.now() < end;) {
    under.push(logIn(port, outcome));
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
  await Promise.all(under);
  await visitor?.();
  return outcome;
}

async function logIn(port: number, outcome: Outcome): Promise<void> {
  const begun = performance.now();
  const response = await fetch(`http://127.0.0.1:${port}/login`, { method: "POST" });
  await response.text();
  if (response.status !== 200) return void outcome.failed++;
  outcome.times.push(performance.now() - begun);
}

/** Starts the visitor; what is returned ends him. */
function hangUp(port: number): () => Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-lock",
      "--allow-net=127.0.0.1",
      import.meta.resolve("../hang_up_process.ts"),
      `${port}`,
      `${PAGES}`,
    ],
    stdin: "piped",
  }).spawn();
  return async () => {
    await child.stdin.close();
    await child.status;
  };
}

/** Reads 64 MiB at once. */
async function largeRead(server: RedisServer, line: string, rate: number): Promise<Row[]> {
  await using proxy = TcpProxy.start(server);
  const options = { namespace: "large", on: () => {} };
  await using writer = await connect({ url: server.url, commandTimeout: "30s", ...options });
  const keys = Array.from({ length: 64 }, (_, i) => `page:${i}`);
  for (const key of keys) await writer.cache.set(key, "x".repeat(MIB));
  await using redis = await connect({ url: proxy.url, ...options });
  await redis.ready({ timeout: "10s" });
  proxy.bytesPerSecond = rate;
  const times: number[] = [];
  let found = 64;
  for (let i = 0; i < 3; i++) {
    const begun = performance.now();
    found = Math.min(found, (await redis.cache.getMany(keys)).size);
    times.push(performance.now() - begun);
  }
  const work = `getMany of 64 x 1 MiB at the default deadline, ${line}`;
  return [
    { work: `${work}: found`, ours: { value: found, unit: "entries" }, goal: { of: "ours", least: 64 } },
    { work, ours: { value: median(times), unit: "ms" } },
  ];
}
