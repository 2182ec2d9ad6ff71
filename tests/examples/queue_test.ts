import { assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { handler } from "../../examples/queue/handler.ts";
import { StreamReports } from "../../examples/queue/stream_reports.ts";
import { Reports, startWorker } from "../../examples/queue/reports.ts";
import { RedisServer } from "../support/redis_server.ts";
import { onBothStores } from "../sessions/served.ts";
import { until } from "../support/until.ts";

Deno.test({
  name: "The example of a queue: BullMQ makes a report once for all who ask, with the credentials of Larder",
  ignore: !RedisServer.controllable,
  sanitizeOps: false, // BullMQ's ioredis waits for the end of sockets by timers
  sanitizeResources: false,
  async fn() {
    await using server = await RedisServer.start();
    await server.cli("ACL", "SETUSER", "app", "on", ">s3cret", "~*", "&*", "+@all");
    await using redis = await connect({
      url: `redis://app:s3cret@127.0.0.1:${server.port}/2`,
      commandTimeout: "5s",
      on: () => {},
    });
    await redis.ready({ timeout: "20s" });
    await using reports = new Reports(redis);
    const made: string[] = [];
    let failures = 1;
    await using _worker = startWorker(redis, (month) => {
      if (failures-- > 0) return Promise.reject(new Error("not yet"));
      made.push(month);
      return Promise.resolve(42);
    });
    const serve = handler(reports);
    const get = async (path: string) => {
      const response = await serve(new Request(`http://localhost${path}`));
      return [
        response.status,
        response.headers.get("content-type") === "application/json" ? await response.json() : "",
      ];
    };
    const asked = await Promise.all(Array.from({ length: 10 }, () => get("/reports/2026-11")));
    assertEquals(asked, Array(10).fill([202, { job: "2026-11" }]));
    await until(async () => (await get("/reports/2026-11"))[0] === 200, "it is made");
    assertEquals(await get("/reports/2026-11"), [200, { month: "2026-11", total: 42 }]);
    assertEquals(made, ["2026-11"]); // once, after one attempt that failed
    assertEquals(await get("/reports/none"), [404, ""]);
    await redis.cache.invalidateByTag("reports");
    assertEquals((await get("/reports/2026-11"))[0], 202);
    await until(() => made.length === 2, "it is made again");
    assertEquals((await server.cli("KEYS", "*") as string[]).length, 0); // it is all in database 2
  },
});

onBothStores("The example of a queue without BullMQ: a stream has a report made for all who ask", async (open) => {
  await using redis = await open({ on: () => {} });
  const reports = new StreamReports(redis);
  const made: string[] = [];
  let failures = 1;
  await using _worker = reports.startWorker((month) => {
    if (failures-- > 0) return Promise.reject(new Error("not yet"));
    made.push(month);
    return Promise.resolve(42);
  });
  const serve = handler(reports);
  const get = () => serve(new Request("http://localhost/reports/2026-11"));
  const asked = await Promise.all(Array.from({ length: 10 }, get));
  assertEquals(new Set(asked.map(({ status }) => status)), new Set([202]));
  await until(async () => (await get()).status === 200, "it is made");
  assertEquals(await (await get()).json(), { month: "2026-11", total: 42 });
  assertEquals(made, ["2026-11"]); // once, after one attempt that failed
});
