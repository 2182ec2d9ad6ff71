import type { Cache } from "../cache/cache.ts";
import { describe } from "../util/describe.ts";
import { type Duration, MAX_MILLISECONDS, toMilliseconds } from "../util/duration.ts";
import { cacheFor, readOrFail, storeOrFail } from "./cache_for.ts";

/** A session as `express-session` gives it to a store. */
export interface ExpressSessionLike {
  /** Its cookie. */
  readonly cookie: { readonly expires?: Date | string | null | undefined };
}

/** What `express-session` calls with a result. */
// deno-lint-ignore no-explicit-any -- sessions are of any type there
export type ExpressSessionCallback = (error?: any, session?: any) => void;

/** The methods of a store for `express-session`. */
export interface ExpressSessionStore {
  /** Reads a session. */
  get(id: string, callback: ExpressSessionCallback): void;
  /** Stores one. */
  set(id: string, session: ExpressSessionLike, callback?: ExpressSessionCallback): void;
  /** Keeps one for longer. */
  touch(id: string, session: ExpressSessionLike, callback?: ExpressSessionCallback): void;
  /** Takes one away. */
  destroy(id: string, callback?: ExpressSessionCallback): void;
  /** Reads all, each with its `id`; for people who look after them. */
  all(callback: ExpressSessionCallback): void;
  /** Counts all. */
  length(callback: ExpressSessionCallback): void;
  /** Takes all away. */
  clear(callback?: ExpressSessionCallback): void;
}

/**
 * Makes a store for `express-session`. It saves a session as a whole, so that of two requests at a time the later one
 * wins; `session()` of `@larder/larder/express` keeps both changes, and no request brings back what another has ended.
 * While Redis does not answer, requests that need a session get an error, so that nobody is given another for his own.
 *
 * @param Store The class `Store` of `express-session`, which the store is one of.
 * @param redis What `connect()` gave.
 * @param options `ttl`: how long sessions are kept whose cookie ends with the browser. @default {"24h"}
 * @returns The store, as in `session({ store: expressSessionStore(session.Store, redis), … })`.
 * @throws {TypeError | RangeError} If there is no cache, no class, or the time makes no sense.
 *
 * @example With Express
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { expressSessionStore } from "@larder/larder/stores";
 * import express from "express";
 * import expressSession from "express-session";
 *
 * const redis = await connect();
 * const store = expressSessionStore(expressSession.Store, redis);
 * const secret = process.env.SESSION_SECRET ?? "only for development";
 * const app = express();
 * app.use(expressSession({ store, secret, resave: false, saveUninitialized: false }));
 * app.get("/", ({ session }, response) => {
 *   session.visits = (session.visits ?? 0) + 1;
 *   response.send(`visit ${session.visits}`);
 * });
 * app.listen(3000);
 * // GET / → 200
 * ```
 */
export function expressSessionStore<Base extends object>(
  Store: new () => Base,
  redis: { readonly cache: Cache },
  options: { readonly ttl?: Duration } = {},
): Base & ExpressSessionStore {
  const cache = cacheFor(redis, "express-session", "express-session");
  if (typeof Store !== "function") {
    throw new TypeError(`Cannot make a store for express-session: wanted its Store, got ${describe(Store)}`);
  }
  const standard = toMilliseconds(options.ttl ?? "24h", "ttl");
  const lastsFor = ({ cookie }: ExpressSessionLike) =>
    cookie.expires
      ? Math.min(MAX_MILLISECONDS, Math.max(0, new Date(cookie.expires).getTime() - Date.now()))
      : standard;
  const told = (work: Promise<unknown>, callback: ExpressSessionCallback = () => {}) => {
    work.then((result) => callback(null, result), (error) => callback(error));
  };
  const walk = async (values: boolean) => {
    const all: object[] = [];
    for await (const { key, value } of cache.inspect("*", { values })) all.push({ ...value as object, id: key });
    return all;
  };
  const store = async (id: string, session: ExpressSessionLike, ttl: number) => {
    await storeOrFail(cache, id, JSON.parse(JSON.stringify(session)), `${ttl}ms`, "session");
  };
  // Under the lease of a load, so that what somebody else stores or ends meanwhile stays as it is.
  const renew = async (id: string, { cookie }: ExpressSessionLike, ttl: number) => {
    await cache.getOrSet<unknown>(id, (load) => {
      load.setTtl(`${ttl}ms`);
      return load.stale === undefined ? load.skip(null) : { ...load.stale, cookie: JSON.parse(JSON.stringify(cookie)) };
    }, { fresh: true });
  };
  const methods: ExpressSessionStore = {
    get: (id, callback) => told(readOrFail(cache, id, "session").then((session) => session ?? null), callback),
    set(id, session, callback) {
      const ttl = lastsFor(session);
      if (ttl === 0) methods.destroy(id, callback);
      else told(store(id, session, ttl), callback);
    },
    touch(id, session, callback) {
      const ttl = lastsFor(session);
      if (ttl === 0) methods.destroy(id, callback);
      else told(renew(id, session, ttl), callback);
    },
    destroy: (id, callback) => told(cache.invalidate(id).then(() => undefined), callback),
    all: (callback) => told(walk(true), callback),
    length: (callback) => told(walk(false).then(({ length }) => length), callback),
    clear: (callback) => told(cache.clear().then(() => undefined), callback),
  };
  return Object.assign(new Store(), methods);
}
