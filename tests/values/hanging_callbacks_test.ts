import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect, type LarderEvent, type Serializer, type StandardSchema } from "../../mod.ts";

const never = () => new Promise<never>(() => {});
/** A schema that does not answer while it hangs. */
function schemaThat(hangs: () => boolean): StandardSchema<unknown, { a: number }> {
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate: (value) => hangs() ? never() : { value: value as { a: number } },
    },
  };
}
/** A serializer that reads later, if at all. */
function serializerThat(hangs: () => boolean): Serializer {
  return {
    id: 7,
    serialize: (value) => JSON.stringify(value),
    deserialize: async (bytes) => hangs() ? await never() : JSON.parse(new TextDecoder().decode(bytes)),
  };
}

Deno.test("Schemas and serializers that never answer end no read later than two seconds, and nobody else's", async () => {
  const events: LarderEvent[] = [];
  let hangs = false;
  await using redis = await connect({
    url: "memory:",
    on: (event) => events.push(event),
    cache: { serializer: serializerThat(() => hangs) },
    sessions: { schema: schemaThat(() => hangs) },
  });
  const schema = schemaThat(() => hangs);
  const { cache, sessions } = redis;
  await cache.set("a", { a: 1 });
  assertEquals(await cache.get("a"), { a: 1 }, "one that answers later is waited for");
  const { id } = await sessions.create("ada", { a: 1 });

  hangs = true;
  const loaded = cache.getOrSet("a", () => ({ a: 2 }));
  const [got, many, session] = await Promise.all([
    cache.get("a"),
    cache.getMany(["a"]),
    sessions.get(id),
    assertRejects(() => cache.getOrSet("b", () => ({ a: 1 }), { schema }), TypeError),
  ]);
  assertEquals([got, many.size, session, await loaded], [undefined, 0, undefined, { a: 2 }]);
  const unreadable = events.find(({ type }) => type === "cache.unreadable");
  assertStringIncludes(String((unreadable as { error: unknown }).error), "deserialize() gave no answer within 2000 ms");
  const mismatch = events.find(({ type }) => type === "session.schema_mismatch");
  assertStringIncludes(JSON.stringify(mismatch), "it gave no answer within 2000 ms");

  hangs = false;
  assertEquals([await cache.get("a"), (await sessions.get(id))?.data], [{ a: 2 }, { a: 1 }]);
});

Deno.test("A signal ends the wait for a schema at once", async () => {
  await using redis = await connect({ url: "memory:" });
  await redis.cache.set("a", { a: 1 });
  const schema = schemaThat(() => true);
  const start = performance.now();
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  assertEquals(await assertRejects(() => redis.cache.get("a", { schema, signal })), reason);
  const controller = new AbortController();
  const read = redis.cache.get("a", { schema, signal: controller.signal });
  setTimeout(() => controller.abort(reason), 20);
  assertEquals(await assertRejects(() => read), reason);
  assertEquals(performance.now() - start < 1500, true);
  await redis.cache.get("a", { schema }); // its wait ends, as does that of the first
});
