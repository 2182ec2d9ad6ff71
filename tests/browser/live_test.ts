import { assertEquals } from "@std/assert";
import { readUntil, startDeno, taskArguments } from "../examples/child.ts";
import { DenoProcess } from "../support/deno_process.ts";
import { testWith } from "../support/program.ts";
import { RedisServer } from "../support/redis_server.ts";

/** Ends the service as its user would, if it has not ended by itself. */
async function stop(service: Deno.ChildProcess): Promise<Deno.CommandStatus> {
  try {
    service.kill("SIGTERM");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  return await service.status;
}

Deno.test(
  await testWith("chromium", "The live page shows reads, limits, sessions and an outage", async (chromium) => {
    await using server = await RedisServer.start();
    const service = startDeno(await taskArguments("dev"), { env: { PORT: "0", REDIS_URL: server.url } });
    const complaints = new Response(service.stderr).text();
    let ended: Deno.CommandStatus | undefined;
    try {
      const [url] = await readUntil(/http:\/\/127\.0\.0\.1:\d+/, service.stdout);
      await using visitor = DenoProcess.start(import.meta.resolve("./visit_live.ts"), chromium, url);
      const wishes: Record<string, () => Promise<unknown>> = {
        "kill Redis": () => server.kill(),
        "start Redis": () => server.restart(),
        "stop the service": async () => ended = await stop(service),
      };
      let seen: unknown;
      while (seen === undefined) {
        const message = await visitor.receive<{ please?: string; seen?: unknown }>();
        seen = message.seen;
        if (message.please === undefined) continue;
        await wishes[message.please]!();
        await visitor.send("done");
      }
      assertEquals(seen, {
        title: "Larder, live",
        fits: true,
        dark: true,
        hitRatio: true,
        roundTrips: true,
        hits: "8 hits",
        focus: ["Invalidate cheese", true],
        invalidated: 0,
        misses: "8 misses",
        hitsAgain: "8 hits",
        crowd: "1,000 readers of : the origin was asked once",
        countdown: [true, true],
        devices: ["<img src=/nowhere> phone", "Chromium on Linux"],
        markup: 0,
        ended: "Logged out everywhere: 2 sessions ended.",
        loggedOut: "You were logged out from another device.",
        upright: true,
        // Browsers log each answer that is a refusal; there is nothing else.
        refusals: [
          "Failed to load resource: the server responded with a status of 429 (Too Many Requests) /live/limits/AUTH",
        ],
        degradedInTime: true,
        banner: true,
        closed: "Redis is away: refused by policy",
        local: 1,
        unknown: "Redis is away: nobody can know who is logged in.",
        queued: "Queued until Redis is back",
        recovered: "8 hits",
        shaded: true,
        errors: [],
        away: "The service does not answer. This page tries again every second.",
      });
      assertEquals(ended?.code, 0);
    } catch (error) {
      ended ??= await stop(service);
      throw new Error(`The page is not as it should be. Its service ended with ${ended.code}: ${await complaints}`, {
        cause: error,
      });
    } finally {
      ended ??= await stop(service);
      await service.stdout.cancel();
      await complaints;
    }
  }, { ignore: !RedisServer.controllable }),
);
