/**
 * The product catalogue of examples/catalogue as a service, with a page in front of it that shows what happens inside
 * while it happens: reads, limits, sessions, pictures, and Redis.
 *
 * On http://127.0.0.1:8000 (or PORT) until it is interrupted, on the embedded store or on the Redis of REDIS_URL:
 *
 *     deno task dev
 *     REDIS_URL=redis://127.0.0.1:6379 deno task dev
 *
 * @module
 */
import { Report } from "../catalogue/report.ts";
import { serve } from "./serve.ts";

try {
  await serve();
} catch (error) {
  // deno-lint-ignore no-console -- not among what it prints, but beside it
  new Report(console.error).failure(error);
  Deno.exitCode = 1;
}
Deno.exit(); // whoever holds a connection open is no reason to stay
