import { assertEquals } from "@std/assert";
import { connect } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";

Deno.test("The first call of a window is told the length of it, on each store", async () => {
  await using server = await RedisServer.start();
  for (const url of ["memory:", server.url]) {
    for (const legacyHeaders of ["delta", "epoch"] as const) {
      const FIXED = { limit: 5, window: "5m", algorithm: "fixed-window" } as const;
      await using redis = await connect({ url, rateLimit: { legacyHeaders, presets: { FIXED } } });
      for (let i = 0; i < 5; i++) {
        for (const name of ["AUTH", "FIXED"] as const) {
          const headers = new Headers();
          (await redis.rateLimit.check(name, `${legacyHeaders}${i}`)).headers(headers);
          assertEquals(headers.get("RateLimit"), `"${name}";r=4;t=300`, `${url} ${i}`);
          if (legacyHeaders === "delta") assertEquals(headers.get("X-RateLimit-Reset"), "300");
        }
      }
      // Together with others too.
      const both = await redis.rateLimit.checkAll([["AUTH", `${legacyHeaders}-a`], ["DEFAULT", `${legacyHeaders}-a`]]);
      const headers = new Headers();
      both.headers(headers);
      assertEquals(headers.get("RateLimit"), '"AUTH";r=4;t=300, "DEFAULT";r=99;t=60', url);
      for (const { resetAfter, moreAfter, window } of both.results) {
        assertEquals([resetAfter, moreAfter], [window, window]);
      }
    }
  }
});
