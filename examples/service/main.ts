/**
 * A small service on the public interface, as it is deployed by docker-compose.swarm.yml: a product catalogue behind
 * the cache, logins behind sessions and rate limits, `/health`, and an end without lost requests.
 *
 * It is told where Redis is by the variables that `connect()` reads, and by HOST, PORT and DRAIN.
 *
 *     REDIS_URL=redis://127.0.0.1:6379 deno run --allow-net --allow-env --allow-read examples/service/main.ts
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { connect } from "@larder/larder";
import { Lifetime } from "./lifetime.ts";
import { service } from "./routes.ts";
import { readSettings } from "./settings.ts";

async function main(): Promise<void> {
  const { hostname, port, drain, task } = readSettings();
  const lifetime = new Lifetime({ drain });
  await using redis = await connect({
    cache: { local: true },
    rateLimit: { trustProxy: { proxies: ["private"], header: "x-forwarded-for" } }, // Traefik, on the overlay network
    on(event) {
      if (/^(redis|warning)|error/.test(event.type)) console.log(JSON.stringify(event, errorText));
    },
  });
  const server = Deno.serve(
    {
      hostname,
      port,
      onListen: ({ port }) => console.log(JSON.stringify({ type: "listening", port, task, store: redis.store })),
    },
    service({ redis, task, draining: () => lifetime.draining }),
  );
  await lifetime.end(server);
  console.log(JSON.stringify({ type: "stopped" }));
}

function errorText(_: string, value: unknown): unknown {
  return value instanceof Error ? String(value) : value;
}

await main();
Deno.exit(); // a request that does not end is no reason to stay
