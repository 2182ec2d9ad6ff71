import type { Cache } from "../cache/cache.ts";
import type { GetOrSetOptions } from "../cache/options.ts";
import { listenerOf } from "../cache/listener.ts";
import { callQuietly } from "../util/callbacks.ts";
import type { ConnectionInfo } from "../rate_limit/address.ts";
import { type SchemeReader, schemeReaderOf } from "../rate_limit/scheme_reader.ts";
import type { ForwardedScheme } from "../web/forwarded_scheme.ts";
import { answerFrom, answerOf, type Forwarded, gatewayTimeout, mark, staleFor } from "./cached_answer.ts";
import type { Behind, BehindRead } from "./behind.ts";
import { cacheOf } from "./cache_of.ts";
import type { CacheResponseOptions } from "./response_options.ts";
import { connectionOf } from "../web/connection.ts";
import { currentLoad, runLoad } from "../web/current_load.ts";
import { freshnessOf } from "./freshness.ts";
import { answerToNobody, HangUp, HUNG_UP } from "./hang_up.ts";
import { isYoungEnough, KeptResponses, mayServe } from "./kept_responses.ts";
import { dropsHeaders, hasBody, isPersonal } from "./load_request.ts";
import { isSafe, takeAlong } from "./response_change.ts";
import { FailedResponseError, LateResponseError } from "./response_errors.ts";
import { NOT_KEPT, ResponseLoad } from "./response_load.ts";
import { addressOf, type ResponseAddress } from "./response_key.ts";
import { type ResponsePolicy, responsePolicyOf } from "./response_policy.ts";
import { isFor } from "./response_variants.ts";
import { NO_WISHES, type RequestWishes, wishesOf } from "./request_wishes.ts";
import { settled } from "./response_wait.ts";
import { SCHEME_UNKNOWN, SESSION_LOOKED_AT } from "./response_warnings.ts";
import { badRequest, type RequestTarget, targetOf } from "../web/target.ts";
import { watchVisitor } from "../web/visitor.ts";

/** Answers requests from what is kept, and keeps what may be. */
export class ResponseCache {
  readonly #cache: Cache;
  readonly #policy: ResponsePolicy;
  readonly #kept: KeptResponses;
  readonly #schemeOf: SchemeReader | undefined;
  readonly #warned = new Set<string>();

  /**
   * @throws {TypeError | RangeError} If an option is not as it should be.
   */
  constructor(redis: { readonly cache: Cache } | Cache, options: CacheResponseOptions) {
    this.#cache = cacheOf(redis);
    this.#policy = responsePolicyOf(options, this.#cache.maxBytes);
    this.#kept = new KeptResponses(this.#cache);
    this.#schemeOf = this.#policy.schemeOf ?? schemeReaderOf((redis as { rateLimit?: unknown }).rateLimit);
  }

  /** Answers a request. */
  async answer(request: Request, behind: Behind): Promise<Response> {
    const connection = connectionOf(request, behind.connection) as ConnectionInfo | undefined;
    const current = currentLoad(request, connection);
    const schemeOf = this.#schemeOf ?? behind.scheme;
    if (!schemeOf && !current) this.#warnOfScheme(request);
    const forwarded = schemeOf?.(request, connection) ?? current?.forwarded;
    const target = targetOf(request, forwarded?.scheme);
    if (!target) return badRequest();
    if (!isSafe(request.method)) {
      const response = await behind.next();
      await takeAlong({ cache: this.#cache, policy: this.#policy }, request, target, response);
      return mark(response, { fwd: "method" });
    }
    if (request.method !== "GET" && request.method !== "HEAD") return mark(await behind.next(), { fwd: "method" });
    const odd = hasBody(request) || dropsHeaders(request);
    const address = odd ? undefined : this.#addressOf(request, target, forwarded);
    if (!address) return mark(await behind.next(), { fwd: "bypass" });
    // Another one around this is loading it, and would wait for this one, which would wait for it.
    if (current?.urls.has(address.url)) return await behind.next();
    // Whoever is known already is given what is made for nobody else.
    if (behind.personal || watchVisitor(request, (visitor) => visitor.isPersonal, connection)) {
      return mark(await behind.next(), { fwd: "bypass" });
    }
    const wishes = this.#policy.deaf ? NO_WISHES : wishesOf(request);
    if (wishes.noStore) return mark(await behind.next(), { fwd: "request" });
    const hangUp = new HangUp(behind.hungUp ?? (() => request.signal), current !== undefined);
    try {
      return await this.#answer(request, address, wishes, {
        ...behind,
        connection,
        hangUp,
        next: () => (hangUp.stop(), behind.next()),
      });
    } catch (error) {
      if (error === HUNG_UP) return answerToNobody();
      throw error;
    } finally {
      hangUp.stop();
    }
  }

  async #answer(
    request: Request,
    address: ResponseAddress,
    wishes: RequestWishes,
    behind: BehindRead,
  ): Promise<Response> {
    const { signal } = behind.hangUp;
    if (!address.keyed && isPersonal(request, this.#policy)) {
      return await this.#personal(request, address, wishes, behind);
    }
    const { headers, method } = request;
    if (method === "HEAD" || headers.has("range") || isWebSocket(headers) || wishes.onlyIfCached) {
      const found = isWebSocket(headers) ? undefined : await this.#kept.find(request, address, wishes, signal);
      if (found) return answerFrom(request, found, { hit: true });
      if (wishes.onlyIfCached) return gatewayTimeout("There is no response in the cache", { fwd: "request" });
      return mark(await behind.next(), { fwd: headers.has("range") || isWebSocket(headers) ? "bypass" : "uri-miss" });
    }
    if (wishes.maxStale > 0) {
      const found = await this.#kept.find(request, address, wishes, signal);
      if (found) return answerFrom(request, found, { hit: true });
    }
    return await this.#shared(request, address, wishes, behind);
  }

  #warnOfScheme({ headers, url }: Request): void {
    if (headers.get("x-forwarded-proto") !== "https" || url.startsWith("https:")) return;
    if (!this.#policy.vary.includes("x-forwarded-proto")) this.#warnOnce(SCHEME_UNKNOWN);
  }

  #warnOnce(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    callQuietly(listenerOf(this.#cache), { type: "warning", message });
  }

  #addressOf(
    request: Request,
    target: RequestTarget,
    forwarded: ForwardedScheme | undefined,
  ): ResponseAddress | undefined {
    try {
      return addressOf(request, target, this.#policy, forwarded);
    } catch (error) {
      const message = `A response is not kept, since its key could not be told: ${
        error instanceof Error ? error.message : error
      }`;
      callQuietly(listenerOf(this.#cache), { type: "warning", message });
    }
  }

  /**
   * Who says who he is gets what says that it is for all, else what is made for him. He waits for nobody, and leaves
   * nothing behind.
   */
  async #personal(
    request: Request,
    address: ResponseAddress,
    wishes: RequestWishes,
    behind: BehindRead,
  ): Promise<Response> {
    const found = await this.#kept.find(request, address, wishes, behind.hangUp.signal);
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
    const key = this.#kept.variants.keyOf(request, address);
    if (this.#kept.isNotKept(key)) return;
    const load = this.#loadOf(request, address, key, behind, true);
    load.leave();
    this.#cache.getOrSet(key, load.run, this.#lifetime()).catch(() => {}); // told by the events of the cache
  }

  /** A response that is shared with all who ask for the same. */
  async #shared(
    request: Request,
    address: ResponseAddress,
    wishes: RequestWishes,
    behind: BehindRead,
  ): Promise<Response> {
    const { hangUp } = behind;
    let fresh = wishes.noCache;
    for (let attempt = 0; attempt < 3; attempt++) {
      const key = this.#kept.variants.keyOf(request, address);
      if (this.#kept.isNotKept(key)) break;
      if (this.#kept.isStreamingHere(key)) {
        const older = fresh ? undefined : await this.#kept.fallback(request, address, hangUp.signal);
        if (older && isYoungEnough(older, wishes)) return answerFrom(request, older, { hit: true });
        break;
      }
      const load = this.#loadOf(request, address, key, behind);
      const signal = hangUp.until(load);
      const cached = this.#cache.getOrSet(key, load.run, { ...this.#lifetime(fresh), signal });
      const result = await settled({ key, load, cached, kept: this.#kept, timeout: this.#policy.timeout });
      if (signal.aborted) {
        load.leave();
        throw HUNG_UP;
      }
      if (result instanceof Response && result !== load.failed) {
        load.leave(result);
        return answerOf(request, result, load.outcome);
      }
      if (
        fresh && result !== load.refusal && (result instanceof Response || result instanceof Error || result === "late")
      ) {
        const older = await this.#kept.fallback(request, address, hangUp.signal);
        if (older) {
          load.leave();
          return answerFrom(request, older, { hit: true });
        }
      }
      if (result instanceof Response) {
        load.leave(result);
        return answerOf(request, result, load.outcome);
      }
      if (result === "late" || result instanceof Error) load.leave();
      if (result === "late") {
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
      if (isNotKept(result) && (load.started || this.#kept.isNotKept(key))) break;
      const stored = this.#kept.decode(key, result);
      // One that may not be served any more is there to be made fresh: this could not be done.
      if (stored && !mayServe(stored)) {
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
        this.#kept.variants.learn(address, stored);
        if (this.#kept.variants.keyOf(request, address) === key) break;
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

  #loadOf(
    request: Request,
    address: ResponseAddress,
    key: string,
    behind: Behind,
    isForAll: boolean = false,
  ): ResponseLoad {
    const load: ResponseLoad = new ResponseLoad({
      request,
      connection: behind.connection,
      address,
      policy: this.#policy,
      on: listenerOf(this.#cache),
      answer: (asked) =>
        runLoad(address.url, asked, {
          asker: load.isWaitedFor ? request : undefined,
          connection: behind.connection,
          forwarded: address.forwarded,
          isOver: () => load.isOver,
        }, () => behind.load(asked, load.isWaitedFor)),
      once: behind.once === true,
      isForAll,
      looked: () => this.#warnOnce(SESSION_LOOKED_AT),
      notKept: () => this.#kept.setNotKept(key),
      streams: (streams) => void this.#kept.setStreaming(key, streams),
      mayKeep: (vary) => this.#kept.variants.mayKeep(address, key, vary),
    });
    if (key !== address.primary) load.outcome = { fwd: "vary-miss" };
    return load;
  }

  /** What a load does not say of its response. */
  #lifetime(fresh: boolean = false): GetOrSetOptions<Uint8Array> {
    return { ttl: 1, staleWhileRevalidate: 0, staleIfError: 0, ...(fresh && { fresh }) };
  }
}

/**
 * Whether this stands for a response that is not kept. Whoever may write keys of the cache may have put the same there.
 */
function isNotKept(bytes: unknown): boolean {
  return bytes === NOT_KEPT || (bytes instanceof Uint8Array && bytes.length === 0);
}

function isWebSocket(headers: Headers): boolean {
  return /\bwebsocket\b/i.test(headers.get("upgrade") ?? "");
}
