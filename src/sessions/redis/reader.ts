import type { UnavailableError } from "../../errors.ts";
import type { Batch, Call, CallSource } from "../../redis/batch.ts";
import type { RedisArgument } from "../../redis/client.ts";
import type { Deadline } from "../../redis/deadline.ts";
import { withoutForeign } from "../../redis/foreign_keys.ts";
import { unavailable } from "../../redis/refusals.ts";
import { unreadableReply } from "../../redis/unreadable_reply.ts";
import { JsonBatch } from "../../values/json_batch.ts";
import { missingOf, readParts, type ReplyPart, storedSessionOf, textOf } from "./reply.ts";
import { READ } from "./scripts.ts";
import type { StoredSession } from "../store.ts";

/** A read that waits for the next batch. */
interface Pending {
  readonly handle: string;
  /** The deadline of the call that it is a part of. */
  readonly within?: Deadline | undefined;
  /** Takes its part of a reply, of which `json` reads the data together. */
  resolve(part: ReplyPart, json: JsonBatch): void;
  reject(error: unknown): void;
}

/** How sessions are used by the reads of a batch, in the order of a call: those for requests stand together. */
const KINDS = ["touch", "roll", "roll for request", "peek for request", "peek"] as const;
type Kind = typeof KINDS[number];

/** Most sessions of one script call; more are split. */
const KEYS_PER_CALL = 500;

/** Turns all reads of one write into one script call, and its one reply into what each of them wants. */
export class SessionReader implements CallSource {
  readonly operation: string = "read session";
  readonly #batch: Batch;
  readonly #base: string;
  readonly #touchEvery: number;
  readonly #told: (us: number) => void;
  #waiting: Record<Kind, Pending[]> = none();
  #count = 0;
  #joined = false;

  /** `told` hears the time of the server in µs with each reply. */
  constructor(batch: Batch, base: string, touchEvery: number, told: (us: number) => void) {
    this.#batch = batch;
    this.#base = base;
    this.#touchEvery = touchEvery;
    this.#told = told;
  }

  /** Reads a session with the next batch; for a request also what is in the place of its handle. */
  read(
    handle: string,
    mode: "roll" | "peek",
    follow: boolean,
    within?: Deadline,
  ): Promise<StoredSession | "ended" | "unreadable" | undefined> {
    return new Promise((resolve, reject) => {
      this.#add(follow ? `${mode} for request` : mode, {
        handle,
        within,
        resolve(part, json) {
          try {
            const found = missingOf(part) ?? storedSessionOf(handle, part)?.session;
            resolve(typeof found === "object" ? readTogether(found, json) : found);
          } catch (error) {
            reject(error);
          }
        },
        reject: (error) => reject(unavailable(error, "read session")),
      });
    });
  }

  /** Rolls the expiry of a session with the next batch. Resolves to whether it is there. */
  touch(handle: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#add("touch", {
        handle,
        resolve: (part) => resolve(part !== false),
        reject: (error) => reject(unavailable(error, "touch session")),
      });
    });
  }

  fail(error: UnavailableError): void {
    for (const waiting of Object.values(this.#empty())) for (const read of waiting) read.reject(error);
  }

  take(): Call[] {
    const waiting = this.#empty();
    const all: Pending[] = [];
    const ends = KINDS.map((kind) => all.push(...waiting[kind]));
    const calls: Call[] = [];
    for (let i = 0; i < all.length; i += KEYS_PER_CALL) {
      const part = all.slice(i, i + KEYS_PER_CALL);
      calls.push(this.#call(part, ends.map((end) => Math.max(0, Math.min(end - i, part.length)))));
    }
    return calls;
  }

  #add(kind: Kind, pending: Pending): void {
    if (this.#count >= this.#batch.maxQueued) {
      return pending.reject(this.#batch.diagnosis.unavailable(this.operation, "overload"));
    }
    this.#count++;
    this.#waiting[kind].push(pending);
    if (this.#joined) return;
    this.#joined = true;
    this.#batch.join(this);
  }

  #empty(): Record<Kind, Pending[]> {
    const waiting = this.#waiting;
    this.#waiting = none();
    this.#count = 0;
    this.#joined = false;
    return waiting;
  }

  /** `ends` says how many of the reads come up to the end of each kind. */
  #call(reads: readonly Pending[], ends: readonly number[]): Call {
    const [touches = 0, plain = 0, rolls = 0, requests = 0] = ends;
    const args: RedisArgument[] = [reads.length + 1];
    for (const { handle } of reads) args.push(`${this.#base}:${handle}`);
    args.push(`${this.#base}l`, this.#touchEvery, touches, rolls - touches, plain, requests);
    const reject = (error: unknown) => {
      for (const read of reads) read.reject(error);
    };
    const call = READ.call(this.#batch, args, {
      operation: this.operation,
      resolve: (told) => {
        const reply = withoutForeign(this.#batch, this.operation, told);
        let parts: ReplyPart[];
        try {
          if (!(reply instanceof Uint8Array)) throw new RangeError("the reply to a read is no string");
          parts = readParts(reply);
          if (parts.length !== reads.length + 1) throw new RangeError("the reply to a read is not complete");
        } catch (cause) {
          return reject(unreadableReply(cause));
        }
        this.#told(Number(textOf(parts.at(-1))));
        const json = new JsonBatch();
        for (let i = 0; i < reads.length; i++) reads[i]!.resolve(parts[i]!, json);
      },
      reject,
    }, { whole: READ.isNew(this.#batch) });
    const written = (now: number) => {
      for (const { within } of reads) within?.begin(now);
    };
    return { ...call, written };
  }
}

function none(): Record<Kind, Pending[]> {
  return { touch: [], roll: [], "roll for request": [], "peek for request": [], peek: [] };
}

/** Has the data of a session read together with those of others. */
function readTogether(session: StoredSession, batch: JsonBatch): StoredSession {
  const { json } = session;
  if (!json) return session;
  const place = batch.add(0, json.length, json);
  let together: JsonBatch | undefined = batch;
  const takeJson = () => {
    const data = together?.take(place);
    together = undefined; // somebody may keep the session for long, and must not keep the data of others
    return data;
  };
  return Object.assign(session, { takeJson });
}
