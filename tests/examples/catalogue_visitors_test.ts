import { assertEquals } from "@std/assert";
import { Report } from "../../examples/catalogue/report.ts";
import { limits, sessions } from "../../examples/catalogue/visitors.ts";
import { connect, type Larder } from "../../mod.ts";

type Services = Pick<Larder, "sessions" | "rateLimit">;

/** Shows sessions and limits, some of whose methods do something else, and tells which claims broke. */
async function broken(sabotage: Record<string, unknown> = {}): Promise<string[]> {
  await using redis = await connect({ url: "memory:" });
  const saboteur = <T extends object>(service: T): T =>
    new Proxy(service, {
      get(target, name) {
        const member = sabotage[String(name)] ?? Reflect.get(target, name);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  const services: Services = { sessions: saboteur(redis.sessions), rateLimit: saboteur(redis.rateLimit) };
  const report = new Report(() => {});
  await sessions({ redis: services, report });
  await limits({ redis: services, report });
  return report.broken;
}

Deno.test("sessions() and limits() of the demo hold", async () => {
  assertEquals(await broken(), []);
});

Deno.test("sessions() and limits() of the demo see what does not hold", async () => {
  assertEquals(await broken({ destroyAll: () => Promise.resolve(0) }), [
    "Logged out on all 10 devices by one call, and late changes bring 10 back",
  ]);
  assertEquals(await broken({ check: () => Promise.resolve({ allowed: true }) }), [
    "1,000 logins at once, 5 allowed in five minutes: 1000 pass",
    "Two limits for one call: the one that refuses costs nothing of the other",
  ]);
});
