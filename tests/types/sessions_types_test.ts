import { connect, type Larder } from "../../src/connect/larder.ts";
import type { Session, SessionData } from "../../src/sessions/session.ts";
import type { Sessions } from "../../src/sessions/sessions.ts";
import type { StandardSchema } from "../../src/values/standard_schema.ts";

interface MyData {
  theme: "dark" | "light";
  visits?: number;
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

function is<_T extends true>(): void {}

// Nothing here runs: what counts is that it compiles, or does not where that is said.
async function _types(): Promise<void> {
  const untyped = await connect();
  is<Equal<typeof untyped, Larder>>();
  is<Equal<typeof untyped.sessions, Sessions<SessionData>>>();
  const some = await untyped.sessions.create("ada", { anything: 1 });
  is<Equal<typeof some.data, Record<string, unknown>>>();

  const typed = await connect<{ session: MyData }>();
  const session = await typed.sessions.create("ada", { theme: "dark" });
  is<Equal<typeof session, Session<MyData>>>();
  is<Equal<typeof session.data.visits, number | undefined>>();
  // @ts-expect-error a theme that is none
  await typed.sessions.create("ada", { theme: "blue" });
  // @ts-expect-error the data are missing
  await typed.sessions.create("ada");
  await typed.sessions.update(session.id, { visits: undefined });
  await typed.sessions.update(session.id, ({ visits = 0 }) => ({ visits: visits + 1 }));
  // @ts-expect-error a field that there is not
  await typed.sessions.update(session.id, { color: "dark" });
  // @ts-expect-error a count that is none
  await typed.sessions.update(session.id, () => ({ visits: "1" }));
  await typed.sessions.regenerate(session.id, { data: { theme: "light" } });
  // @ts-expect-error a session is read only
  session.userId = "eve";

  const later = untyped.sessions.typed<MyData>();
  is<Equal<typeof later, Sessions<MyData>>>();
  const schema = {} as StandardSchema<unknown, MyData>;
  const checked = untyped.sessions.typed({ schema });
  is<Equal<typeof checked, Sessions<MyData>>>();

  const handler = typed.sessions.withSession(async (_request, own) => {
    const current = await own.get();
    is<Equal<NonNullable<typeof current>["data"], MyData>>();
    return new Response();
  });
  Deno.serve(handler);
  Deno.serve(typed.sessions.withSession((_request, _own, info: Deno.ServeHandlerInfo) => {
    return new Response(String(info.remoteAddr.transport));
  }));

  // What takes any larder takes one with types.
  const takes = (redis: Larder): Larder => redis;
  takes(typed);
}
