// deno-lint-ignore-file no-console -- what it prints is looked at
// Services with all of Larder in the frameworks that are named, on the runtime that runs this. Fails by an exception.
import { connect } from "@larder/larder";
import { check } from "./http/services/check.mjs";

const started = performance.now();
for (const name of ["express", "fastify", "hono", "h3", "elysia", "node_handler"]) {
  const redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
  const { open } = await import(`./http/services/${name}.mjs`);
  await check(open, redis).catch((error) => {
    throw new Error(`${name}: ${error.message}`, { cause: error });
  });
  await redis.close();
}
for (const name of ["sveltekit", "astro"]) {
  const redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
  const { [name]: open } = await import("./http/services/shapes.mjs");
  await check(open, redis);
  await redis.close();
}
console.error(Math.round(performance.now() - started), "ms");
console.log("done");
process.exit(0);
