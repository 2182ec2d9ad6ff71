import type { Larder } from "@larder/larder";
import { count, type Report } from "./report.ts";

/** What these steps work with. */
export interface VisitorsScene {
  redis: Pick<Larder, "sessions" | "rateLimit">;
  report: Report;
}

/** Sessions: who is logged in, on which devices, and that it ends when it is ended. */
export async function sessions({ redis: { sessions }, report }: VisitorsScene): Promise<void> {
  report.step("Sessions: rolling, shared by all processes, and ended for good");
  const user = `ada-${crypto.randomUUID()}`;
  const visit = await sessions.create(user, { basket: ["101"] });
  const login = await sessions.regenerate(visit.id);
  const planted = await sessions.get(visit.id);
  report.claim(
    "A login gives a new id and keeps the basket; the id from before opens nothing",
    planted === undefined && login !== undefined && Array.isArray(login.data.basket),
  );

  const id = login!.id;
  const fields = Array.from({ length: 50 }, (_, i) => `field${i}`);
  await Promise.all(fields.map((field, i) => sessions.update(id, { [field]: i })));
  const data = (await sessions.get(id))?.data ?? {};
  const kept = fields.filter((field, i) => data[field] === i).length;
  report.claim(`50 changes of one session at once: ${kept} of them are there`, kept === 50);

  const devices = [
    id,
    ...(await Promise.all(Array.from({ length: 9 }, () => sessions.create(user, {})))).map(({ id }) => id),
  ];
  const listed = (await sessions.list(user)).length;
  await sessions.destroyAll(user);
  await Promise.all(devices.map((id) => sessions.update(id, { late: true }))); // what was under way comes late
  const alive = (await Promise.all(devices.map((id) => sessions.get(id)))).filter((session) => session !== undefined);
  report.claim(
    `Logged out on all ${listed} devices by one call, and late changes bring ${alive.length} back`,
    listed === 10 && alive.length === 0,
  );
}

/** Rate limits: exactly as many as they say. */
export async function limits({ redis: { rateLimit }, report }: VisitorsScene): Promise<void> {
  report.step("Rate limits: exact, all or nothing, and told in headers");
  const guesser = `guesser-${crypto.randomUUID()}`;
  const tries = await Promise.all(Array.from({ length: 1000 }, () => rateLimit.check("AUTH", guesser)));
  const passed = tries.filter(({ allowed }) => allowed).length;
  report.claim(`${count(tries.length)} logins at once, 5 allowed in five minutes: ${passed} pass`, passed === 5);

  const together = await rateLimit.checkAll([["API", guesser], ["AUTH", guesser]]);
  const { limit, remaining } = await rateLimit.peek("API", guesser);
  report.claim(
    "Two limits for one call: the one that refuses costs nothing of the other",
    !together.allowed && remaining === limit,
  );

  const address = { remoteAddr: { transport: "tcp", hostname: "192.0.2.7", port: 4711 } } as const;
  await rateLimit.reset("AUTH", "192.0.2.7");
  const guarded = rateLimit.guard({ "POST /login": "AUTH", "*": "DEFAULT" }, () => new Response("Welcome"));
  const statuses: number[] = [];
  let last = new Response();
  for (let i = 0; i < 6; i++) {
    last = await guarded(new Request("http://localhost/login", { method: "POST" }), address);
    statuses.push(last.status);
  }
  const retryAfter = Number(last.headers.get("retry-after"));
  report.claim(
    `The sixth login is answered ${last.status}: again in ${retryAfter} seconds`,
    statuses.join() === "200,200,200,200,200,429" && retryAfter > 290 && retryAfter <= 301,
  );
  for (const id of [guesser, "192.0.2.7"]) for (const name of ["AUTH", "API"] as const) await rateLimit.reset(name, id);
}
