import type { LoaderContext } from "../cache/options.ts";
import { callQuietly, unawaited } from "../util/callbacks.ts";
import { assertTags } from "../util/keys.ts";
import { readUpTo } from "../web/body.ts";
import type { CacheOutcome } from "./cached_answer.ts";
import { type Freshness, freshnessOf } from "./freshness.ts";
import type { LoadJob } from "./load_job.ts";
import { loadRequestOf } from "./load_request.ts";
import { valueOf } from "./response_key.ts";
import { FailedResponseError, LateResponseError, UnsharedResponseError } from "./response_errors.ts";
import { decodeResponse, encodeResponse, keptHeaders, type StoredResponse } from "./stored_response.ts";
import { isOf, validatorsOf } from "./validators.ts";
import { watchLoad } from "../web/visitor.ts";

/** Stands for a response that is not kept. */
export const NOT_KEPT: Uint8Array = new Uint8Array(0);
/** Seconds for which what has a validator is kept beyond its time at least, so that it can be made fresh by a 304. */
const KEPT_FOR_VALIDATORS = 60;
const A_DAY = 86_400;
/** Milliseconds for which a caller waits until his response is kept, before he is given it as it comes. */
const PATIENCE = 5;
/** Milliseconds after which a body is one that goes on and on. */
const STREAMS_AFTER = 1000;

/** One load: what it made for its own caller, and what is kept of it. */
export class ResponseLoad {
  readonly #job: LoadJob;
  readonly #own = Promise.withResolvers<Response>();
  #waited = true;
  #ready: Response | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;
  /** Whether it runs, or has run. */
  started = false;
  /** Whether it has ended. */
  isOver = false;
  /** What it failed with, for its own caller. */
  failed: Response | undefined;
  /** What it threw. */
  error: unknown;
  /** What it threw that is an answer as any other that is not kept: no older response is served in its place. */
  refusal: Error | undefined;
  /** What became of it. */
  outcome: CacheOutcome = { fwd: "uri-miss" };

  constructor(job: LoadJob) {
    this.#job = job;
  }

  /** Whether its own caller waits for it. */
  get isWaitedFor(): boolean {
    return this.#waited;
  }

  /** The response for its own caller, when it need not wait any longer for what is kept. */
  get own(): Promise<Response> {
    return this.#own.promise;
  }

  /** The response for its own caller, if it is there. */
  get ready(): Response | undefined {
    return this.#ready;
  }

  /** Its own caller has been answered, with this response or in another way. */
  leave(given?: Response): void {
    this.#waited = false;
    clearTimeout(this.#patience);
    for (const response of [this.failed, this.#ready]) {
      if (response && response !== given && !response.bodyUsed) response.body?.cancel().catch(() => {});
    }
  }

  /** The loader. */
  readonly run = async (context: LoaderContext<Uint8Array>): Promise<Uint8Array> => {
    const { request, address, policy, answer, notKept, connection } = this.#job;
    this.started = true;
    const previous = previousOf(context.stale);
    const validators = previous && !this.#job.once ? validatorsOf(previous) : {};
    if (previous) this.outcome = { fwd: "stale" };
    const late = new AbortController();
    const timer = policy.timeout === Infinity ? undefined : setTimeout(() => late.abort(), policy.timeout);
    try {
      const signal = AbortSignal.any([late.signal, context.signal]);
      const ask = (validators: Readonly<Record<string, string>>) => {
        const { url, keyed, forwarded } = address;
        const asked = loadRequestOf({ request, url, keyed, forwarded, validators, signal }, policy);
        const asker = this.#job.isForAll ? undefined : request;
        const load = { asked, asker, connection, isAwaited: this.#waited };
        return watchLoad(load, async (visitor) => [await inTime(answer(asked), late), visitor] as const);
      };
      let [response, visitor] = await ask(validators);
      if (previous && response.status === 304 && Object.keys(validators).length > 0) {
        if (isOf(response, previous)) return this.#freshen(context, previous, response);
        response.body?.cancel().catch(() => {});
        [response, visitor] = await ask({});
      }
      if (response.status >= 500) {
        this.#fail(response);
        throw new FailedResponseError(`Cannot keep the response: its status is ${response.status}`);
      }
      const looked = visitor.isPersonal || visitor.has("asked");
      if (looked && address.keyed) this.#job.looked();
      const freshness = looked ? undefined : freshnessOf(response, policy);
      const tags = freshness && this.#tagsOf(response);
      const vary = (freshness?.vary ?? []).map((name) => [name, valueOf(request, name)] as const);
      if (!freshness || !tags || this.#isTooLong(response) || !await this.#job.mayKeep(vary)) {
        this.#give(response);
        notKept();
        return context.skip(NOT_KEPT);
      }
      const body = await this.#read(this.#split(response), late.signal);
      const isCut = Number(body?.length) < Number(response.headers.get("content-length")); // less than was said
      // A body may look at a session as it is made.
      if (!body || isCut || visitor.isPersonal || visitor.has("asked")) {
        notKept();
        return context.skip(NOT_KEPT);
      }
      keep(context, response.headers, freshness);
      context.setTags(tags);
      return encodeResponse({
        status: response.status,
        headers: keptHeaders(response.headers),
        ...kept(freshness),
        vary,
        body,
      });
    } catch (error) {
      if (isRefusal(error)) this.refusal = error;
      if (!this.refusal && !(error instanceof UnsharedResponseError)) {
        this.error = error;
        throw error;
      }
      notKept();
      return context.skip(NOT_KEPT);
    } finally {
      clearTimeout(timer);
      this.isOver = true;
    }
  };

  /** What is kept is good still: its headers are those of now (RFC 9111, section 4.3.4). */
  #freshen(context: LoaderContext<Uint8Array>, previous: StoredResponse, response: Response): Uint8Array {
    response.body?.cancel().catch(() => {});
    const headers = new Headers(previous.headers.map(([name, value]) => [name, value]));
    for (const [name, value] of keptHeaders(response.headers)) {
      if (!/^content-(?:encoding|type|range|length)$/.test(name)) headers.set(name, value);
    }
    const merged = new Headers(headers);
    const age = response.headers.get("age");
    if (age !== null) merged.set("age", age);
    const { status, body, vary } = previous;
    const freshness = freshnessOf(
      new Response(null, { status: status === 204 ? 204 : status, headers: merged }),
      this.#job.policy,
    );
    this.outcome = { fwd: "stale", status: 304, stored: freshness !== undefined };
    if (!freshness) {
      // It is good this once.
      return context.skip(
        encodeResponse({
          ...previous,
          headers: [...headers],
          storedAt: Date.now(),
          age: 0,
          ttl: 0,
          stale: 1,
          strict: true,
        }),
      );
    }
    keep(context, merged, freshness);
    context.setTags(this.#tagsOf(new Response(null, { headers: merged })) ?? this.#job.address.tags);
    return encodeResponse({ status, headers: [...headers], ...kept(freshness), vary, body });
  }

  /** Gives a response to its own caller as it is. */
  #give(response: Response): void {
    if (this.#waited) this.#own.resolve(this.#ready = response);
    else response.body?.cancel().catch(() => {});
  }

  #fail(response: Response): void {
    if (this.#waited) this.failed = response;
    else response.body?.cancel().catch(() => {});
  }

  /** Gives a response to its own caller while it is read for others. */
  #split(response: Response): ReadableStream<Uint8Array> | null {
    this.outcome = { ...this.outcome, stored: true } as CacheOutcome;
    if (!this.#waited) return response.body;
    const [one, other] = response.body?.tee() ?? [null, null];
    const ready = this.#ready = response.body === null ? response : new Response(one, response);
    // Most bodies are there as a whole: then who asks next finds it.
    this.#patience = setTimeout(() => this.#own.resolve(ready), PATIENCE);
    return other;
  }

  /** Reads what is kept; whoever waits meanwhile is told when that takes long. */
  async #read(body: ReadableStream<Uint8Array> | null, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { streams, policy: { maxBytes } } = this.#job;
    const timer = setTimeout(() => streams(true), STREAMS_AFTER);
    try {
      return await readUpTo(body, maxBytes, signal);
    } finally {
      clearTimeout(timer);
      streams(false);
    }
  }

  #isTooLong({ headers }: Response): boolean {
    return Number(headers.get("content-length")) > this.#job.policy.maxBytes;
  }

  /** The tags; `undefined` where the function that gives them fails, which is no reason not to answer. */
  #tagsOf(response: Response): readonly string[] | undefined {
    const { request, address, on, policy: { tags } } = this.#job;
    try {
      const bare = new Response(null, {
        status: response.status === 101 ? 200 : response.status,
        headers: response.headers,
      });
      const given = typeof tags === "function" ? unawaited(tags(request, bare)) : tags;
      return assertTags([...assertTags(given, "cache a response"), ...address.tags], "cache a response");
    } catch (error) {
      const message = `A response is not kept, since its tags could not be told: ${
        error instanceof Error ? error.message : error
      }`;
      callQuietly(on, { type: "warning", message });
      return undefined;
    }
  }
}

/** Whether an error of a framework stands for an answer that tells the caller of his own fault. */
function isRefusal(error: unknown): error is Error {
  const { status } = (error ?? {}) as { status?: unknown };
  return error instanceof Error && typeof status === "number" && status >= 400 && status < 500;
}

/** What a response says of how it is kept, as it is stored. */
function kept(
  { ttl, age, staleWhileRevalidate, staleIfError, open, strict }: Freshness,
): Omit<StoredResponse, "status" | "headers" | "vary" | "body"> {
  const stale = Math.max(staleWhileRevalidate, staleIfError);
  return { storedAt: Date.now(), age, ttl: ttl === Infinity ? null : ttl, stale, open, strict };
}

/** Tells the cache how long. What has a validator is kept longer than it is served. */
function keep(context: LoaderContext<Uint8Array>, headers: Headers, freshness: Freshness): void {
  const { ttl, staleWhileRevalidate, staleIfError } = freshness;
  if (ttl === Infinity) return context.setTtl(0);
  const validated = headers.has("etag") || headers.has("last-modified");
  const longer = validated ? Math.min(Math.max(ttl, KEPT_FOR_VALIDATORS), A_DAY) : 0;
  context.setTtl(ttl, { staleWhileRevalidate, staleIfError: Math.max(staleIfError, longer) });
}

function previousOf(bytes: Uint8Array | undefined): StoredResponse | undefined {
  try {
    return bytes && bytes.length > 0 ? decodeResponse(bytes) : undefined;
  } catch {
    return undefined; // it is replaced
  }
}

async function inTime(answer: Response | Promise<Response>, late: AbortController): Promise<Response> {
  if (answer instanceof Response) return answer;
  const { promise, reject } = Promise.withResolvers<never>();
  const end = () => reject(new LateResponseError("Cannot answer: the handler did not answer in time"));
  late.signal.addEventListener("abort", end, { once: true });
  try {
    return await Promise.race([answer, promise]);
  } catch (error) {
    if (error instanceof LateResponseError) {
      answer.then((response) => response.body?.cancel(), () => {}).catch(() => {});
    }
    throw error;
  } finally {
    late.signal.removeEventListener("abort", end);
  }
}
