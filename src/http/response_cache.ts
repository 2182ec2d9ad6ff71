import { LRUCache } from "lru-cache";
import type { Cache } from "../cache/cache.ts";
import type { GetOrSetOptions } from "../cache/options.ts";
import { listenerOf } from "../cache/listener.ts";
import { callQuietly } from "../util/callbacks.ts";
import { describe } from "../util/describe.ts";
import { ageOf, answerFrom, answerOf, type Forwarded, gatewayTimeout, mark, staleFor } from "./cached_answer.ts";
import type { CacheResponseOptions } from "./response_options.ts";
import { currentLoad, runLoad } from "../web/current_load.ts";
import { freshnessOf } from "./freshness.ts";
import { dropsHeaders, isPersonal } from "./load_request.ts";
import { FailedResponseError, LateResponseError, NOT_KEPT, ResponseLoad } from "./response_load.ts";
import { addressOf, type ResponseAddress, tagOf } from "./response_key.ts";
import { type ResponsePolicy, responsePolicyOf } from "./response_policy.ts";
import { isFor, ResponseVariants } from "./response_variants.ts";
import { NO_WISHES, type RequestWishes, wishesOf } from "./request_wishes.ts";
import { decodeResponse, type StoredResponse } from "./stored_response.ts";
import { badRequest, type RequestTarget, targetOf } from "../web/target.ts";
import { watchVisitor } from "../web/visitor.ts";

/** What is behind the cache. */
export interface Behind {
  /** Answers the request itself, with all that is known of its visitor. */
  readonly next: () => Response | Promise<Response>;
  /** Answers a request of the cache's own, also when the visitor's has been answered. */
  readonly load: (request: Request, foreground: boolean) => Response | Promise<Response>;
  /** What is known of the visitor's connection. */
  readonly connection?: unknown;
  /** Whether more is known of the visitor than the request says. */
  readonly personal?: boolean;
  /** Whether `load` works only until the visitor's request has been answered. */
  readonly once?: boolean;
}

/** Methods that change nothing (RFC 9110, section 9.2.1). */
const SAFE = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);
/** Milliseconds for which this process remembers that a response is not kept, so that nobody waits for another's. */
const NOT_KEPT_FOR = 5000;
/** Milliseconds by which the clocks of processes may differ. */
const TOLERANCE = 1000;

/** Answers requests from what is kept, and keeps what may be. */
export class ResponseCache {
  readonly #cache: Cache;
  readonly #policy: ResponsePolicy;
  readonly #notKept = new LRUCache<string, true>({ max: 10_000, ttl: NOT_KEPT_FOR });
  readonly #variants: ResponseVariants;

  /**
   * @throws {TypeError | RangeError} If an option is not as it should be.
   */
  constructor(cache: Cache, options: CacheResponseOptions) {
    this.#cache = cache;
    this.#policy = responsePolicyOf(options, cache.maxBytes);
    this.#variants = new ResponseVariants(cache);
  }

  /** Answers a request. */
  async answer(request: Request, behind: Behind): Promise<Response> {
    const target = targetOf(request);
    if (!target) return badRequest();
    if (!SAFE.has(request.method)) return await this.#changed(request, target, await behind.next());
    if (request.method !== "GET" && request.method !== "HEAD") return mark(await behind.next(), { fwd: "method" });
    const odd = request.body !== null || dropsHeaders(request);
    const address = odd ? undefined : this.#addressOf(request, target);
    if (!address) return mark(await behind.next(), { fwd: "bypass" });
    // Another one around this is loading it, and would wait for this one, which would wait for it.
    if (currentLoad()?.urls.has(address.url)) return await behind.next();
    // Whoever is known already is given what is made for nobody else.
    if (behind.personal || watchVisitor(request, (visitor) => visitor.isPersonal)) {
      return mark(await behind.next(), { fwd: "bypass" });
    }
    const wishes = this.#policy.deaf ? NO_WISHES : wishesOf(request);
    if (wishes.noStore) return mark(await behind.next(), { fwd: "request" });
    if (!address.keyed && isPersonal(request, this.#policy)) {
      return await this.#personal(request, address, wishes, behind);
    }
    const { headers, method } = request;
    if (method === "HEAD" || headers.has("range") || isWebSocket(headers) || wishes.onlyIfCached) {
      const found = isWebSocket(headers) ? undefined : await this.#find(request, address, wishes);
      if (found) return answerFrom(request, found, { hit: true });
      if (wishes.onlyIfCached) return gatewayTimeout("There is no response in the cache", { fwd: "request" });
      return mark(await behind.next(), { fwd: headers.has("range") || isWebSocket(headers) ? "bypass" : "uri-miss" });
    }
    if (wishes.maxStale > 0) {
      const found = await this.#find(request, address, wishes);
      if (found) return answerFrom(request, found, { hit: true });
    }
    return await this.#shared(request, address, wishes, behind);
  }

  #addressOf(request: Request, target: RequestTarget): ResponseAddress | undefined {
    try {
      return addressOf(request, target, this.#policy);
    } catch (error) {
      const message = `A response is not kept, since its key could not be told: ${
        error instanceof Error ? error.message : error
      }`;
      callQuietly(listenerOf(this.#cache), { type: "warning", message });
    }
  }

  /** A successful request that changes something takes what is kept of its URL along (RFC 9111, section 4.4). */
  async #changed(request: Request, target: RequestTarget, response: Response): Promise<Response> {
    if (response.status < 200 || response.status >= 400) return mark(response, { fwd: "method" });
    const tags = new Set([tagOf(target, this.#policy)]);
    for (const name of ["location", "content-location"]) {
      const place = response.headers.get(name);
      const url = place === null ? null : URL.parse(place, `${target.scheme}://${target.host}${target.path}`);
      if (url === null || url.protocol !== `${target.scheme}:` || url.host !== target.host) continue;
      tags.add(tagOf({ ...target, path: url.pathname, query: url.search }, this.#policy));
    }
    try {
      await this.#cache.invalidateByTag([...tags], { signal: request.signal });
    } catch (error) {
      const message = `A change of ${request.method} did not reach the cache: ${
        error instanceof Error ? error.message : error
      }`;
      callQuietly(listenerOf(this.#cache), { type: "warning", message });
    }
    return mark(response, { fwd: "method" });
  }

  /** Who says who he is gets what says that it is for all, else what is made for him. He waits for nobody, and leaves nothing behind. */
  async #personal(
    request: Request,
    address: ResponseAddress,
    wishes: RequestWishes,
    behind: Behind,
  ): Promise<Response> {
    const found = await this.#find(request, address, wishes);
    if (found?.open && !isWebSocket(request.headers)) return answerFrom(request, found, { hit: true });
    const response = await behind.next();
    if (
      request.method === "GET" && response.status === 200 && !behind.once && freshnessOf(response, this.#policy)?.open
    ) {
      this.#fill(request, address, behind);
    }
    return mark(response, { fwd: "bypass" });
  }

  /** Has what is for all made anew for all, without the visitor. */
  #fill(request: Request, address: ResponseAddress, behind: Behind): void {
    const key = this.#variants.keyOf(request, address);
    if (this.#notKept.has(key)) return;
    const load = this.#loadOf(request, address, key, behind);
    load.leave();
    this.#cache.getOrSet(key, load.run, this.#lifetime()).catch(() => {}); // told by the events of the cache
  }

  /** What is kept and good enough, without making anything. */
  async #find(request: Request, address: ResponseAddress, wishes: RequestWishes): Promise<StoredResponse | undefined> {
    for (const key of new Set([this.#variants.keyOf(request, address), address.primary])) {
      const { value } = await this.#cache.lookup<Uint8Array>(key);
      let stored = this.#decode(key, value);
      if (stored && !isFor(stored, request) && key === address.primary) {
        this.#variants.learn(address, stored);
        const other = this.#variants.keyOf(request, address);
        if (other !== key) stored = this.#decode(other, (await this.#cache.lookup<Uint8Array>(other)).value);
      }
      if (stored && isFor(stored, request) && isGoodEnough(stored, wishes)) return stored;
    }
  }

  /** What may be served when a new one cannot be made. */
  async #fallback(request: Request, address: ResponseAddress): Promise<StoredResponse | undefined> {
    const stored = await this.#find(request, address, { ...NO_WISHES, maxStale: Infinity });
    return stored && staleFor(stored) <= stored.stale * 1000 + TOLERANCE ? stored : undefined;
  }

  /** A response that is shared with all who ask for the same. */
  async #shared(
    request: Request,
    address: ResponseAddress,
    wishes: RequestWishes,
    behind: Behind,
  ): Promise<Response> {
    let fresh = wishes.noCache;
    for (let attempt = 0; attempt < 3; attempt++) {
      const key = this.#variants.keyOf(request, address);
      if (this.#notKept.has(key)) break;
      const load = this.#loadOf(request, address, key, behind);
      const result = await this.#settle(load, this.#cache.getOrSet(key, load.run, this.#lifetime(fresh)));
      if (result instanceof Response && result !== load.failed) {
        load.leave(result);
        return answerOf(request, result, load.outcome);
      }
      if (fresh && (result instanceof Response || result instanceof Error || result === "late")) {
        const older = await this.#fallback(request, address);
        if (older) {
          load.leave();
          return answerFrom(request, older, { hit: true });
        }
      }
      if (result instanceof Response) {
        load.leave(result);
        return answerOf(request, result, load.outcome);
      }
      if (result === "late") {
        load.leave();
        if (load.started) {
          return gatewayTimeout("The handler did not answer in time", load.outcome as { fwd: Forwarded });
        }
        break;
      }
      if (result instanceof Error) {
        if (load.started || !(result instanceof FailedResponseError || result instanceof LateResponseError)) {
          throw result;
        }
        break;
      }
      if (isNotKept(result) && (load.started || this.#notKept.has(key))) break;
      const stored = this.#decode(key, result);
      // One that may not be served any more is there to be made fresh: this could not be done.
      if (stored && staleFor(stored) > stored.stale * 1000 + TOLERANCE) {
        const { failed, error } = load;
        load.leave(failed);
        if (failed) return answerOf(request, failed, load.outcome);
        if (error) throw error;
        break;
      }
      load.leave();
      if (!stored) {
        await this.#cache.delete(key);
        continue;
      }
      if (!isFor(stored, request)) {
        if (key !== address.primary) break;
        this.#variants.learn(address, stored);
        if (this.#variants.keyOf(request, address) === key) break;
        continue;
      }
      if (behind.once && staleFor(stored) > 0 && !load.started && !fresh) {
        fresh = true;
        continue;
      }
      const made = load.started && staleFor(stored) <= 0;
      if (!made && !fresh && !isYoungEnough(stored, wishes)) {
        fresh = true;
        continue;
      }
      return answerFrom(request, stored, made ? load.outcome : { hit: true });
    }
    return mark(await behind.next(), { fwd: "bypass" });
  }

  /** What comes first: the response of one's own load, or what the cache says. */
  async #settle(load: ResponseLoad, cached: Promise<Uint8Array>): Promise<Response | Uint8Array | Error | "late"> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const { timeout } = this.#policy;
    const settled = cached.then((bytes) => load.ready ?? bytes, (error) => {
      if (load.failed) return load.failed;
      return error instanceof LateResponseError && load.started
        ? "late" as const
        : error instanceof Error
        ? error
        : new Error(String(error), { cause: error });
    });
    const late = new Promise<"late">((resolve) => {
      // The load of one's own ends by itself.
      if (timeout !== Infinity) timer = setTimeout(() => !load.started && resolve("late"), timeout);
    });
    try {
      return await Promise.race([load.own, settled, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #loadOf(request: Request, address: ResponseAddress, key: string, behind: Behind): ResponseLoad {
    const load: ResponseLoad = new ResponseLoad({
      request,
      address,
      policy: this.#policy,
      on: listenerOf(this.#cache),
      answer: (asked) =>
        runLoad(
          address.url,
          load.isWaitedFor ? request : undefined,
          behind.connection,
          () => behind.load(asked, load.isWaitedFor),
        ),
      once: behind.once === true,
      notKept: () => void this.#notKept.set(key, true),
      mayKeep: (vary) => this.#variants.mayKeep(address, key, vary),
    });
    if (key !== address.primary) load.outcome = { fwd: "vary-miss" };
    return load;
  }

  #decode(key: string, bytes: Uint8Array | undefined): StoredResponse | undefined {
    if (bytes === undefined) return undefined;
    try {
      return decodeResponse(bytes);
    } catch (error) {
      callQuietly(listenerOf(this.#cache), { type: "cache.unreadable", key, error });
    }
  }

  /** What a load does not say of its response. */
  #lifetime(fresh: boolean = false): GetOrSetOptions<Uint8Array> {
    return { ttl: 1, staleWhileRevalidate: 0, staleIfError: 0, ...(fresh && { fresh }) };
  }
}

/** Whether this stands for a response that is not kept. Whoever may write keys of the cache may have put the same there. */
function isNotKept(bytes: unknown): boolean {
  return bytes === NOT_KEPT || (bytes instanceof Uint8Array && bytes.length === 0);
}

/** Whether a request takes it as it is, without anything being made. */
function isGoodEnough(stored: StoredResponse, wishes: RequestWishes): boolean {
  const stale = staleFor(stored) / 1000;
  return !wishes.noCache && isYoungEnough(stored, wishes) &&
    (stale <= 0 || (!stored.strict && stale <= wishes.maxStale));
}

/** Whether a request takes it, where it is served at all. */
function isYoungEnough(stored: StoredResponse, { maxAge, minFresh }: RequestWishes): boolean {
  return ageOf(stored) <= maxAge && (minFresh === 0 || -staleFor(stored) / 1000 >= minFresh);
}

function isWebSocket(headers: Headers): boolean {
  return /\bwebsocket\b/i.test(headers.get("upgrade") ?? "");
}

/**
 * The cache of what `connect()` gave, or the cache that was given.
 *
 * @throws {TypeError} If it is neither.
 */
export function cacheOf(redis: { readonly cache: Cache } | Cache): Cache {
  const cache = (redis as { cache?: Cache } | undefined)?.cache ?? redis as Cache;
  if (typeof cache?.getOrSet === "function") return cache;
  throw new TypeError(`Cannot cache responses: wanted what connect() gave, or a cache, got ${describe(redis)}`);
}
