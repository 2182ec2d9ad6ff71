import { assert, assertEquals, assertRejects } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { SessionConflictError } from "../../src/errors.ts";
import { MemorySessionStore } from "../../src/sessions/memory_store.ts";
import { Line } from "../../src/sessions/line.ts";
import { Sessions } from "../../src/sessions/sessions.ts";
import { KeyedMutex } from "../../src/util/keyed_mutex.ts";

interface Data {
  n: number;
}

function open(): Sessions<Data> {
  return new Sessions<Data>(new MemorySessionStore());
}

const never = () => new Promise<Data>(() => {});

Deno.test("Sessions.update() by a function that never ends holds up the others for a moment only", async () => {
  using time = new FakeTime();
  const sessions = open();
  const { id } = await sessions.create("ada", { n: 1 });
  void sessions.update(id, never);
  const others = [1, 2, 3].map(() => sessions.update(id, ({ n }) => ({ n: n + 1 })));
  await time.tickAsync(1000);
  assertEquals((await sessions.get(id))?.data.n, 1);
  await time.tickAsync(9000);
  await Promise.all(others);
  assertEquals((await sessions.get(id))?.data.n, 4);
});

Deno.test("Sessions.update() by a function ends its wait with the signal, in line and within the function", async () => {
  const sessions = open();
  const { id } = await sessions.create("ada", { n: 1 });
  const [within, inLine] = [new AbortController(), new AbortController()];
  const first = sessions.update(id, never, { signal: within.signal });
  const second = sessions.update(id, () => ({ n: 7 }), { signal: inLine.signal });
  inLine.abort(new Error("enough in line"));
  await assertRejects(() => second, Error, "enough in line");
  within.abort(new Error("enough of it"));
  await assertRejects(() => first, Error, "enough of it");
  assertEquals((await sessions.update(id, ({ n }) => ({ n: n + 1 })))?.data.n, 2);
});

Deno.test("Sessions.update() of a session within an update of it ends", async () => {
  using time = new FakeTime();
  const sessions = open();
  const { id } = await sessions.create("ada", { n: 1 });
  const ended = assertRejects(
    () =>
      sessions.update(id, async () => {
        await sessions.update(id, ({ n }) => ({ n: n + 1 }));
        return {};
      }),
    SessionConflictError,
  );
  let done = false;
  void ended.then(() => done = true);
  for (let i = 0; i < 100 && !done; i++) await time.tickAsync(1000);
  assert(done, "it does not hang");
});

Deno.test("Who ends the wait for those before by a signal leaves no timer behind", async () => {
  const mutex = new KeyedMutex();
  void mutex.runExclusive("a", () => new Promise(() => {}));
  await assertRejects(() => mutex.runExclusive("a", () => Promise.resolve(), AbortSignal.abort(new Error("enough"))));
  const line = new Line(new Request("https://shop.example/"));
  void line.take(() => new Promise(() => {}), undefined);
  const stop = new AbortController();
  const waiting = line.take(() => Promise.resolve(), stop.signal);
  stop.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
});
