import { RedisServer } from "../../support/redis_server.ts";
import type { LoadChoice, Operation } from "./operations.ts";
import { Soak } from "./soak.ts";
import { Connections, memory, redis } from "./systems.ts";

const LIFE = { ttl: 60, staleWhileRevalidate: 0, staleIfError: 0 };
const LOAD: LoadChoice = {
  ...{ ends: "value", kind: 0, life: LIFE, tags: [], setTtl: undefined, setTags: undefined },
  ...{ dynamic: false, refreshAhead: 0, lock: true, impatient: false, blocked: false },
};
const here = { by: 0, beside: false } as const;

/** Sequences by which the soak found something, in their shortest form. */
const FOUND: Readonly<Record<string, readonly Operation[]>> = {
  "getOrSetMany() gives nothing for what its loader does not find, rather than an older value": [
    { ...here, do: "set", key: "a", kind: 0, life: { ...LIFE, staleIfError: 600 }, tags: [] },
    { ...here, do: "advance", seconds: 60 },
    { ...here, do: "getOrSetMany", keys: ["a"], absent: ["a"], load: LOAD },
  ],
  "touch() with a time shorter than the lease does not take it from a loader that runs": [
    { ...here, do: "set", key: "a", kind: 0, life: LIFE, tags: [] },
    { ...here, do: "getOrSet", key: "a", load: { ...LOAD, refreshAhead: 120, blocked: true } },
    { ...here, do: "touch", key: "a", ttl: 60 },
    { ...here, do: "advance", seconds: 60 },
    { ...here, do: "land", nth: 0 },
  ],
  "A loader that failed keeps nobody waiting once the value that was served instead is invalidated": [
    { ...here, do: "set", key: "a", kind: 0, life: { ...LIFE, staleIfError: 600 }, tags: ["t"] },
    { ...here, do: "advance", seconds: 60 },
    { ...here, do: "getOrSet", key: "a", load: { ...LOAD, ends: "throw" } },
    { ...here, do: "tags", tags: ["t"], mode: "hard" },
    { ...here, do: "getOrSet", key: "a", load: LOAD },
    { ...here, do: "getOrSet", key: "a", load: LOAD },
  ],
};

Deno.test("Cache agrees with a model where it once did not", async (t) => {
  await using server = await RedisServer.start();
  await using connections = await Connections.open(server);
  for (const [name, operations] of Object.entries(FOUND)) {
    await t.step(name, async () => {
      await using embedded = memory();
      await using store = redis(connections, "redis");
      const figures = { sequences: 0, operations: 0, results: 0, looks: 0, copies: 0 };
      await new Soak([embedded, store], figures).run(operations);
    });
  }
});
