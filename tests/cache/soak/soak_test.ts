import { assert } from "@std/assert";
import fc from "fast-check";
import { RedisServer } from "../../support/redis_server.ts";
import { mortal, timedSequence, timelessSequence } from "./operations.ts";
import { type Figures, Soak } from "./soak.ts";
import { Connections, Copies, memory, redis } from "./systems.ts";

/** For how long, in seconds. */
const SECONDS = Number(Deno.env.get("SOAK_SECONDS") ?? 5);
/** Where to begin. */
const SEED = Number(Deno.env.get("SOAK_SEED") ?? 20_251_121);
/** Eight sequences of each kind under one seed; not for ever in search of the shortest that fails. */
const SETTINGS = { numRuns: 8, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true };

Deno.test("Cache agrees with a model at each step, on both stores", async () => {
  const figures: Figures = { sequences: 0, operations: 0, results: 0, looks: 0, copies: 0 };
  await using server = await RedisServer.start();
  await using connections = await Connections.open(server);
  let copies = new Copies(connections);
  await using _ = { [Symbol.asyncDispose]: () => copies[Symbol.asyncDispose]() };
  const end = performance.now() + SECONDS * 1000;
  let seed = SEED;
  // deno-lint-ignore no-console -- what it takes to run it again
  console.log(`soak: seed ${SEED}, ${SECONDS} s`);
  do {
    await fc.assert(
      fc.asyncProperty(timedSequence, async (operations) => {
        await using embedded = memory();
        await using one = redis(connections, "redis");
        await using three = redis(connections, "redis with three buckets", { buckets: 3 });
        await new Soak([embedded, one, three], figures).run(operations);
      }),
      { ...SETTINGS, seed },
    );
    await fc.assert(
      fc.asyncProperty(timedSequence, async (operations) => {
        await using embedded = memory();
        await using aged = redis(connections, "redis that ages in whole", { whole: true });
        await new Soak([embedded, aged], figures, { landing: true }).run(operations.map(mortal));
      }),
      { ...SETTINGS, seed },
    );
    await fc.assert(
      fc.asyncProperty(timelessSequence, async (operations) => {
        await using embedded = memory();
        await using copied = await copies.system();
        try {
          await new Soak([embedded, copied], figures, { processes: 1 }).run(operations);
        } catch (error) {
          // What goes on there must not reach into the next sequence.
          await copies[Symbol.asyncDispose]();
          copies = new Copies(connections);
          throw error;
        }
      }),
      { ...SETTINGS, seed },
    );
    seed++;
  } while (performance.now() < end);
  // deno-lint-ignore no-console -- how much was judged
  console.log(`soak: seeds ${SEED} to ${seed - 1}, ${JSON.stringify(figures)}`);
  assert(figures.copies > 0, "no read was answered by a copy");
});
