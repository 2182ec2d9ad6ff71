// deno-lint-ignore-file no-import-prefix
import { RedisStore } from "npm:connect-redis@10.0.0";
import { createClient } from "redis";

/** A store of sessions as express-session uses it. */
export interface ExpressSessions extends AsyncDisposable {
  /** Stores a session. */
  set(id: string, data: Record<string, unknown>): Promise<void>;
  /** What express-session does with the store for a request that changes nothing: `get`, then `touch`. */
  use(id: string): Promise<Record<string, unknown>>;
}

const COOKIE = { originalMaxAge: 86_400_000, path: "/", httpOnly: true, secure: true, sameSite: "lax" };

/** Opens `npm:connect-redis` on `npm:redis`. */
export async function openConnectRedis(url: string): Promise<ExpressSessions> {
  const client = createClient({ url });
  await client.connect();
  const store = new RedisStore({ client, prefix: "connect-redis:", ttl: 86_400 });
  return {
    // deno-lint-ignore no-explicit-any -- what express-session makes of it is an object with a cookie
    set: (id, data) => store.set(id, { cookie: COOKIE, ...data } as any) as Promise<void>,
    async use(id) {
      // deno-lint-ignore no-explicit-any -- the same
      const session = await store.get(id) as any;
      await store.touch(id, session);
      return session;
    },
    async [Symbol.asyncDispose]() {
      await client.close();
    },
  };
}
