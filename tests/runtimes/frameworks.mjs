// deno-lint-ignore-file no-console -- what it prints is looked at
// Services with all of Larder in the frameworks that are named, on the runtime that runs this. Fails by an exception.
import { connect } from "@larder/larder";

// Beside it in the project, elsewhere in the repository.
const from = async (module) => await import(new URL(`./http/services/${module}.mjs`, import.meta.url).href);
const { check } = await from("check");
const started = performance.now();
for (const name of ["express", "fastify", "hono", "h3", "elysia"]) {
  const redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
  const { open } = await from(name);
  await check(open, redis).catch((error) => {
    throw new Error(`${name}: ${error.message}`, { cause: error });
  });
  await redis.close();
}
for (
  const other of [
    "oak_handle handled",
    "oak_handle listening",
    "node_handler built",
    "shapes sveltekit",
    "shapes astro",
  ]
) {
  const [module, name] = other.split(" ");
  const redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
  const { [name]: open } = await from(module);
  await check(open, redis);
  await redis.close();
}
console.error(Math.round(performance.now() - started), "ms");
console.log("done");
process.exit(0);
