/** How things stand: the word at the top, the reason below it, the figures of Redis. */
const { $, el, hear, tell, duration, count, bytes, span } = globalThis.live;

const WORDS = { ok: "All is well", degraded: "Degraded", down: "Down", away: "Not connected" };
const COMFORT =
  "Reads go to the origin and are shared within this process, invalidations wait, sessions cannot be known, " +
  "and each rate limit follows its policy.";

let status = "waiting";
let store = "memory";

function show(next, why) {
  $("banner").hidden = why === "";
  $("banner").textContent = why;
  if (next === status) return;
  status = next;
  $("status").dataset.status = next;
  $("status-text").textContent = WORDS[next];
  tell("status", next);
}

function facts(health) {
  const [redis] = health.redis;
  const rows = redis ? factsOf(redis) : [["Store", "embedded, in this process"]];
  const { cache, sessions, rateLimit } = health;
  const ended = sessions.destroyed + sessions.revoked + sessions.evicted;
  rows.push(
    ["Hit ratio since the start", `${(cache.hitRate * 100).toFixed(1)} %`],
    ["Loads, callers that shared one", `${count(cache.loads)}, ${count(cache.coalesced)}`],
    ["Invalidations, waiting", `${count(cache.invalidations)}, ${count(cache.queued)}`, cache.queued > 0],
    ["Sessions begun, ended", `${count(sessions.created)}, ${count(ended)}`],
    ["Checks allowed, refused", `${count(rateLimit.allowed)}, ${count(rateLimit.refused)}`],
    ["Memory of this process", bytes(health.process.rss)],
    ["This process is up", span(health.process.uptime)],
  );
  $("redis").replaceChildren(...rows.flatMap(([name, value, bad]) => [
    el("dt", {}, name),
    el("dd", bad ? { class: "bad" } : {}, value),
  ]));
}

function factsOf(redis) {
  const { version, client, answers, latency, error, circuit, memory, keys, clients, uptime, opsPerSecond } = redis;
  const rows = [
    ["Redis", answers ? version ?? "answers" : `does not answer (${error})`, !answers],
    ["Client", client],
    ["Circuit", circuit, circuit !== "closed"],
  ];
  if (latency !== undefined) rows.push(["Round trip", duration(latency)]);
  if (memory) {
    rows.push(["Memory", memory.max > 0 ? `${bytes(memory.used)} of ${bytes(memory.max)}` : bytes(memory.used)]);
  }
  if (keys !== undefined) rows.push(["Keys", count(keys)]);
  if (opsPerSecond !== undefined) rows.push(["Commands a second", count(opsPerSecond)]);
  if (uptime !== undefined) rows.push(["Redis is up", span(uptime)]);
  if (clients) rows.push(["Connections", count(clients.connected)]);
  return rows;
}

hear("hello", (hello) => {
  store = hello.store;
  $("lead").textContent =
    `${hello.products.length} products behind an origin that takes ${hello.delay} ms for an answer, ` +
    `and what Larder does for it.`;
  $("redis-title").textContent = store === "redis" ? "Redis" : "Store";
  $("redis-hint").hidden = store === "redis";
  $("redis-hint").textContent = "Start it with REDIS_URL=redis://127.0.0.1:6379 to see the same on Redis.";
});

hear("health", (health) => {
  const why = health.warnings.join(". ");
  const lost = health.redis.some(({ answers }) => !answers);
  show(health.status, why && `${why}.${lost ? ` ${COMFORT}` : ""}`);
  facts(health);
});

hear("away", () => show("away", "The service does not answer. This page tries again every second."));
