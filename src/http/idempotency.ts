import { createHash } from "node:crypto";
import type { Larder } from "../connect/larder.ts";
import { UnavailableError } from "../errors.ts";
import type { IdempotentOptions } from "../locks/options.ts";
import type { ConnectionInfo } from "../rate_limit/address.ts";
import { describe } from "../util/describe.ts";
import { toMilliseconds } from "../util/duration.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import { readUpTo } from "../web/body.ts";
import { assertResponse } from "../web/own_response.ts";
import { idempotencyKeyOf, idempotencyProblem } from "./idempotency_key.ts";
import { keepResponse, replayResponse } from "./idempotent_response.ts";

/** Options of `idempotent()`. */
export interface IdempotencyOptions extends Omit<IdempotentOptions, "signal"> {
  /**
   * Tells who asks: a key of one is not that of another. Say it where visitors are known by a cookie.
   *
   * @default {the `Authorization` of the request}
   */
  by?:
    | ((request: Request, info?: ConnectionInfo) => string | null | undefined | Promise<string | null | undefined>)
    | undefined;
  /** The methods that are looked at. @default {["POST", "PATCH"]} */
  methods?: readonly string[] | undefined;
  /** Whether a request without the header is refused with 400. @default {false} */
  required?: boolean | undefined;
  /**
   * Which responses are kept; others leave it to the next request to try again.
   *
   * @default {those below 500, but for 408, 425 and 429}
   */
  keep?: ((response: Response) => boolean) | undefined;
  /** How many bytes the body of a request may have, and that of a response to be kept. @default {1_048_576} */
  maxBytes?: number | undefined;
}

/** Answers the request itself, whose body is there to be read. */
export type Answer = () => Response | Promise<Response>;

/** A request as it is compared. */
export interface ComparedRequest {
  readonly request: Request;
  /** Its body; `undefined` where it is too large. */
  readonly body: () => Promise<Uint8Array | undefined>;
  readonly info?: ConnectionInfo | undefined;
}

const ACTION = "make a middleware for idempotent requests";
const OPTIONS = optionNames<IdempotencyOptions>({
  by: true,
  durability: true,
  keep: true,
  lockTtl: true,
  maxBytes: true,
  methods: true,
  required: true,
  ttl: true,
});
const MIB = 1_048_576;
const DAY = 86_400_000;
/** A signal that nothing aborts. */
const NEVER = new AbortController().signal;
const TRY_AGAIN: ReadonlySet<number> = new Set([408, 425, 429]);
/** Answers requests with `Idempotency-Key` once. */
export class Idempotency {
  readonly #locks: Larder["locks"];
  readonly #options: IdempotencyOptions;
  readonly #methods: ReadonlySet<string>;
  readonly maxBytes: number;

  constructor(redis: Pick<Larder, "locks">, options: IdempotencyOptions) {
    const locks = redis?.locks as Larder["locks"] | undefined;
    if (typeof locks?.idempotent !== "function") {
      throw new TypeError(`Cannot ${ACTION}: wanted what connect() gave, got ${describe(redis)}`);
    }
    assertOptions(options, OPTIONS, ACTION);
    const { by, keep, methods = ["POST", "PATCH"], required, maxBytes = MIB, ttl = "24h", lockTtl = "30s" } = options;
    for (const [name, given] of Object.entries({ by, keep })) {
      if (given === undefined || typeof given === "function") continue;
      throw new TypeError(`Cannot ${ACTION}: wanted a function as "${name}", got ${describe(given)}`);
    }
    if (!Array.isArray(methods) || methods.some((one) => typeof one !== "string" || !/^[A-Z]+$/.test(one))) {
      throw new TypeError(`Cannot ${ACTION}: wanted "methods" as a list like ["POST"], got ${describe(methods)}`);
    }
    if (required !== undefined && typeof required !== "boolean") {
      throw new TypeError(`Cannot ${ACTION}: wanted "required" to be true or false, got ${describe(required)}`);
    }
    if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
      throw new RangeError(`Cannot ${ACTION}: wanted a whole number from 1 as "maxBytes", got ${describe(maxBytes)}`);
    }
    toMilliseconds(ttl, "ttl", { min: 1000, max: 366 * DAY });
    toMilliseconds(lockTtl, "lockTtl", { min: 100, max: DAY });
    this.#locks = locks;
    this.#options = options;
    this.#methods = new Set(methods);
    this.maxBytes = maxBytes;
  }

  /** Whether a request is looked at. */
  concerns({ method, headers }: { readonly method: string; readonly headers: Headers }): boolean {
    return this.#methods.has(method) && (this.#options.required === true || headers.has("idempotency-key"));
  }

  /** Answers a request that is looked at, or has it answered. */
  async answer({ request, body, info }: ComparedRequest, next: Answer): Promise<Response> {
    const key = idempotencyKeyOf(request.headers.get("idempotency-key"));
    if (key === undefined) return idempotencyProblem(400, "This request needs the header Idempotency-Key");
    if (key === null) {
      return idempotencyProblem(
        400,
        'Idempotency-Key has to be a string of 1 to 255 characters, as in "8e03978e-40d5"',
      );
    }
    const { by, durability, ttl, lockTtl } = this.#options;
    const who = by ? assertCaller(await by(request, info)) : request.headers.get("authorization") ?? "";
    const bytes = await body();
    if (bytes === undefined) {
      return idempotencyProblem(413, `The body of a request with Idempotency-Key may have ${this.maxBytes} bytes`);
    }
    const print = printOf(request, bytes);
    const name = createHash("sha256").update(JSON.stringify([who, key])).digest("hex");
    try {
      const result = await this.#locks.idempotent(name, { ttl, lockTtl, durability }, () => this.#run(next, print));
      if (result.state === "ran") return result.value;
      if (result.state === "kept") return replayResponse(result.kept, print);
      return idempotencyProblem(409, "A request with this Idempotency-Key is being answered", 1);
    } catch (error) {
      if (error instanceof HandlerError) throw error.cause;
      if (!(error instanceof UnavailableError)) throw error;
      return idempotencyProblem(503, "It cannot be told whether this request was answered before", 1);
    }
  }

  async #run(next: Answer, print: Uint8Array): Promise<{ value: Response; keep?: Uint8Array }> {
    const response = await Promise.resolve().then(next).then(assertResponse).catch((error) => {
      throw new HandlerError(error);
    });
    const kept = response.type !== "error" && response.status >= 200 && this.#keeps(response);
    return kept ? await keepResponse(response, print, this.maxBytes) : { value: response };
  }

  #keeps(response: Response): boolean {
    const { keep } = this.#options;
    if (!keep) return response.status < 500 && !TRY_AGAIN.has(response.status);
    const keeps = keep(response);
    if (typeof keeps === "boolean") return keeps;
    throw new TypeError(`Cannot keep the response: wanted true or false of "keep", got ${describe(keeps)}`);
  }
}

/** Who asks. What is no text would make one caller of all of them. */
function assertCaller(who: string | null | undefined): string {
  if (typeof (who ?? "") === "string") return who ?? "";
  throw new TypeError(`Cannot tell who asks: wanted text, null or undefined of "by", got ${describe(who)}`);
}

/** The body of a request, up to so many bytes, and the request, which has it still. */
export async function readBody(
  request: Request,
  most: number,
): Promise<{ readonly bytes: Uint8Array | undefined; readonly request: Request }> {
  if (request.bodyUsed) {
    const wanted = "wanted a body that nobody in front has read";
    throw new TypeError(`Cannot compare the request with the one before: ${wanted}, got one that was read`);
  }
  if (!request.body) return { bytes: new Uint8Array(0), request };
  // The handler may read the request that it was given, or the one that it sees from where it stands.
  const bytes = await readUpTo(request.clone().body, most, NEVER);
  if (!bytes) request.body.cancel().catch(() => {});
  return { bytes, request };
}

/** What the handler threw, as opposed to what Redis did. */
class HandlerError extends Error {
  constructor(cause: unknown) {
    super("The handler threw", { cause });
  }
}

/** The SHA-256 of what a request asks for. */
function printOf({ method, url, headers }: Request, body: Uint8Array): Uint8Array {
  const { pathname, search } = new URL(url);
  const head = JSON.stringify([method, pathname, search, headers.get("content-type"), headers.get("content-encoding")]);
  return createHash("sha256").update(`${head}\n`).update(body).digest();
}
