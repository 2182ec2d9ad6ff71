import { abortable } from "../util/abort.ts";
import { describe } from "../util/describe.ts";
import { type Duration, toMilliseconds } from "../util/duration.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import type { ImageSource, ImageStat, OpenedImage, OpenOptions, StatOptions } from "./source.ts";

/** Where images are fetched from. */
export interface HttpSourceOptions {
  /** What names are relative to, as in `"https://cdn.example.com/images/"`; ends with a slash. */
  base: string | URL;
  /**
   * The hosts, with their port if it is not the usual one, to which requests may go: that of `base`, and those of
   * redirects.
   */
  hosts: readonly string[];
  /** Headers of each request, such as an authorization. They are not sent on to another host. */
  headers?: Readonly<Record<string, string>> | undefined;
  /**
   * How long a request may wait for the origin, all in all: for the answer, then for the parts of its body. What
   * whoever reads it takes does not count.
   *
   * @default {"10s"}
   */
  timeout?: Duration | undefined;
  /** What makes the requests. @default {fetch} */
  fetch?: ((url: URL, init: RequestInit) => Promise<Response>) | undefined;
}

const HTTP_SOURCE = optionNames<HttpSourceOptions>({
  base: true,
  hosts: true,
  headers: true,
  timeout: true,
  fetch: true,
});

const REDIRECTS = 3;
const MOVED = new Set([301, 302, 303, 307, 308]);
const LAST_MODIFIED_STEP = 2000;

/**
 * Images behind HTTP. They are looked at by conditional requests (`If-None-Match`, `If-Modified-Since`), so that one
 * that did not change costs no more than an answer 304. Needs `--allow-net` for the hosts.
 *
 * @param options Where from; no request goes to a host that is not named.
 * @returns The source.
 * @throws {TypeError | RangeError} If an option is not as it should be.
 *
 * @example A content delivery network
 * ```ts
 * import { httpSource } from "@larder/larder/images";
 * import assert from "node:assert/strict";
 *
 * const source = httpSource({ base: "https://cdn.example.com/images/", hosts: ["cdn.example.com"] });
 * assert.equal(typeof source.stat, "function");
 * assert.throws(() => httpSource({ base: "http://169.254.169.254/", hosts: ["cdn.example.com"] }), RangeError);
 * ```
 */
export function httpSource(options: HttpSourceOptions): ImageSource {
  return new HttpSource(options);
}

class HttpSource implements ImageSource {
  readonly #base: URL;
  readonly #hosts: ReadonlySet<string>;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeout: number;
  readonly #fetch: (url: URL, init: RequestInit) => Promise<Response>;

  constructor(options: HttpSourceOptions) {
    assertOptions(options, HTTP_SOURCE, "use the source of images");
    const { base, hosts, headers = {}, timeout = "10s", fetch = globalThis.fetch } = options;
    if (!Array.isArray(hosts) || hosts.length === 0 || hosts.some((host) => typeof host !== "string" || host === "")) {
      throw new TypeError(`Cannot use the source of images: wanted the hosts that are allowed, got ${describe(hosts)}`);
    }
    if (!URL.canParse(String(base)) || !/^https?:\/\/[^@?#]*\/$/.test(new URL(base).href)) {
      const got = "something else"; // it may hold a password
      throw new TypeError(`Cannot use the source of images: wanted http(s)://host/path/ as the base, got ${got}`);
    }
    this.#base = new URL(base);
    this.#hosts = new Set(hosts.map((host) => host.toLowerCase()));
    if (!this.#hosts.has(this.#base.host)) {
      throw new RangeError(
        `Cannot use the source of images: wanted a base on a host that is allowed, got ${describe(this.#base.host)}`,
      );
    }
    this.#headers = { ...headers };
    this.#timeout = toMilliseconds(timeout, "timeout", { min: 1, max: 86_400_000 });
    this.#fetch = (url, init) => fetch(url, init);
  }

  async stat(name: string, options: StatOptions = {}): Promise<ImageStat | undefined> {
    const { previous, signal } = options;
    const conditions: Record<string, string> = {};
    if (previous?.version !== undefined) conditions["if-none-match"] = previous.version;
    else if (previous?.modified !== undefined) {
      conditions["if-modified-since"] = new Date(previous.modified).toUTCString();
    }
    let response = await this.#request("HEAD", name, conditions, signal);
    if (response.status === 405 || response.status === 501) {
      await response.body?.cancel();
      response = await this.#request("GET", name, conditions, signal);
    }
    await response.body?.cancel();
    if (response.status === 304 && previous) return previous;
    return this.#checked(name, response) ? statOf(response) : undefined;
  }

  async open(name: string, options: OpenOptions = {}): Promise<OpenedImage | undefined> {
    const { start = 0, end, signal } = options;
    const ranged = start > 0 || end !== undefined;
    const range: Record<string, string> = ranged ? { range: `bytes=${start}-${end ?? ""}` } : {};
    const response = await this.#request("GET", name, range, signal);
    let found = false;
    try {
      found = this.#checked(name, response);
    } finally {
      if (!found) await response.body?.cancel();
    }
    if (!found) return undefined;
    const body = response.body ?? new Blob([]).stream();
    const whole = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
    if (response.status === 206 && Number(whole?.[1]) === start) {
      return { stat: { ...statOf(response), size: Number(whole![2]) }, body };
    }
    if (response.status === 206) {
      await body.cancel();
      throw new Error(`Cannot read image ${describe(name)}: wanted bytes from ${start}, got another range`);
    }
    return { stat: statOf(response), body: ranged ? body.pipeThrough(slice(start, end ?? Infinity)) : body };
  }

  /** Whether there is an image. */
  #checked(name: string, response: Response): boolean {
    const encoding = response.headers.get("content-encoding") ?? "identity";
    if (response.status === 200 || response.status === 206) {
      if (encoding === "identity") return true;
      throw new Error(
        `Cannot read image ${describe(name)}: wanted it as it is, got the encoding ${describe(encoding)}`,
      );
    }
    if (response.status === 404 || response.status === 410) return false;
    throw new Error(`Cannot read image ${describe(name)}: wanted 200 from ${this.#base.host}, got ${response.status}`);
  }

  async #request(
    method: string,
    name: string,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    let url = new URL(name.split("/").map(encodeURIComponent).join("/"), this.#base);
    const reason = new DOMException(`Cannot read image ${describe(name)}: wanted it in time, got none`, "TimeoutError");
    const wait = new Wait(this.#timeout, reason);
    const either = signal ? AbortSignal.any([signal, wait.signal]) : wait.signal;
    for (let redirects = 0;; redirects++) {
      const own = url.host === this.#base.host ? this.#headers : {};
      const asked = {
        method,
        headers: { ...own, ...headers, "accept-encoding": "identity" },
        redirect: "manual",
        signal: either,
      } as const;
      const response = await wait.during(() => abortable(this.#fetch(url, asked), either));
      if (!MOVED.has(response.status)) return readWithin(response, wait);
      await response.body?.cancel();
      url = this.#redirected(name, url, response.headers.get("location"), redirects);
    }
  }

  #redirected(name: string, from: URL, location: string | null, redirects: number): URL {
    const to = location !== null && URL.canParse(location, from.href) ? new URL(location, from) : undefined;
    const safe = to && this.#hosts.has(to.host) && to.username === "" && to.password === "" &&
      (to.protocol === "https:" || (to.protocol === "http:" && from.protocol === "http:"));
    if (safe && redirects < REDIRECTS) return to;
    const got = safe ? "one more" : `one to ${describe(to?.host)}`;
    throw new RangeError(
      `Cannot read image ${describe(name)}: wanted up to ${REDIRECTS} redirects to allowed hosts, got ${got}`,
    );
  }
}

/** Counts the time that is waited, and ends it. */
class Wait {
  readonly #late = new AbortController();
  readonly #reason: unknown;
  #left: number;

  constructor(most: number, reason: unknown) {
    this.#left = most;
    this.#reason = reason;
  }

  get signal(): AbortSignal {
    return this.#late.signal;
  }

  /** Waits; the clock stands still between two calls. */
  async during<T>(run: () => Promise<T>): Promise<T> {
    const since = performance.now();
    const timer = setTimeout(() => this.#late.abort(this.#reason), this.#left);
    try {
      return await run();
    } finally {
      clearTimeout(timer);
      this.#left = Math.max(0, this.#left - (performance.now() - since));
    }
  }
}

/** A response whose body is waited for only while somebody wants to read it. */
function readWithin(response: Response, wait: Wait): Response {
  if (!response.body) return response;
  const reader = response.body.getReader();
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await wait.during(() => abortable(reader.read(), wait.signal));
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        reader.cancel(error).catch(() => {});
        throw error;
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
  const { status, headers } = response;
  return new Response(body, { status, headers });
}

function statOf({ headers }: Response): ImageStat {
  // Servers make a tag weak on one way and not on the other, and many do not know the length when they are asked for
  // the head.
  const etag = headers.get("etag")?.replace(/^W\//, "");
  const length = headers.get("content-length");
  const modified = Date.parse(headers.get("last-modified") ?? "");
  return {
    ...(length !== null && /^[1-9]\d{0,14}$/.test(length) && { size: Number(length) }),
    ...(Number.isFinite(modified) && { modified }),
    ...(etag !== undefined && { version: etag }),
    ...(etag === undefined && Date.now() - modified < LAST_MODIFIED_STEP && { recent: true }),
  };
}

/** Lets the bytes from `start` to `end` through, for servers that know no ranges. */
function slice(start: number, end: number): TransformStream<Uint8Array, Uint8Array> {
  let at = 0;
  return new TransformStream({
    transform(chunk, controller) {
      const part = chunk.subarray(Math.max(0, start - at), Math.max(0, end + 1 - at));
      at += chunk.length;
      if (part.length > 0) controller.enqueue(part);
      if (at > end) controller.terminate();
    },
  });
}
