import type { UnavailableError } from "../../errors.ts";
import type { Batch, Call, CallSource } from "../../redis/batch.ts";
import type { RedisArgument } from "../../redis/client.ts";
import { Coldness } from "../../redis/coldness.ts";
import { Deadline } from "../../redis/deadline.ts";
import { withoutForeign } from "../../redis/foreign_keys.ts";
import { unavailable } from "../../redis/refusals.ts";
import { unreadableReply } from "../../redis/unreadable_reply.ts";
import { JsonBatch } from "../../values/json_batch.ts";
import { ClearedSessions } from "./cleared_sessions.ts";
import { bornOf, plainCall } from "./plain_read.ts";
import { readParts, type ReplyPart } from "./parts.ts";
import { missingOf, NO_FLAGS, storedSessionOf, textOf } from "./reply.ts";
import { READ } from "./scripts.ts";
import type { StoredSession } from "../store.ts";

/** A read that waits for the next batch. */
interface Pending {
  readonly kind: Kind;
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

/** Most sessions of one call; more are split. */
const KEYS_PER_CALL = 500;
/** A server is far away where so many round trips take as long as a command may. */
const FAR = 4;

/**
 * Has all reads of one write go as one call, and turns what comes of it into what each of them wants. Most go without a
 * script, see `plain_read.ts`; where that does not settle it, {@linkcode READ} does, within the same deadline.
 */
export class SessionReader implements CallSource {
  readonly operation: string = "read session";
  readonly #batch: Batch;
  readonly #base: string;
  readonly #touchEvery: number;
  readonly #told: (us: number) => void;
  #waiting: Pending[] = [];
  #joined = false;
  /** Whether reads need the script, mostly. */
  readonly #coldness = new Coldness(64, 0);
  readonly #cleared = new ClearedSessions();

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
      this.#add({
        kind: follow ? `${mode} for request` : mode,
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
      this.#add({
        kind: "touch",
        handle,
        resolve: (part) => resolve(part !== false),
        reject: (error) => reject(unavailable(error, "touch session")),
      });
    });
  }

  fail(error: UnavailableError): void {
    for (const read of this.#empty()) read.reject(error);
  }

  take(): Call[] {
    const waiting = this.#empty();
    if (this.#asksScript) return this.#scripts(waiting);
    const reads = waiting.filter(({ kind }) => kind !== "touch");
    const calls = reads.length < waiting.length ? this.#scripts(waiting.filter(({ kind }) => kind === "touch")) : [];
    for (let i = 0; i < reads.length; i += KEYS_PER_CALL) calls.push(this.#plain(reads.slice(i, i + KEYS_PER_CALL)));
    return calls;
  }

  /** Whether all goes by script: where most is not settled without, and where nothing may take two trips. */
  get #asksScript(): boolean {
    return this.#coldness.cold || (this.#batch.roundTrip ?? 0) > this.#batch.commandTimeout / FAR;
  }

  /** The call of reads that go without a script. */
  #plain(reads: readonly Pending[]): Call {
    const within = new Deadline(this.#batch.commandTimeout);
    const call = plainCall(reads, {
      base: this.#base,
      touchEvery: this.#touchEvery,
      operation: this.operation,
      written: (now) => begin(reads, now),
      isCleared: (handle, born, revoked) => this.#cleared.has(handle, born, revoked),
      answered: (rows, us, revoked) => {
        if (us !== undefined) this.#told(us);
        const json = new JsonBatch();
        const left: Pending[] = [];
        for (let i = 0; i < reads.length; i++) {
          const [read, row] = [reads[i]!, rows[i]];
          this.#coldness.add(row !== undefined);
          if (row) read.resolve([...row, NO_FLAGS], json);
          else left.push(read);
        }
        this.#askScript(left, { within, revoked });
      },
      failed: (error) => {
        for (const read of reads) read.reject(error);
      },
    });
    return { ...call, within };
  }

  /** Has the script settle what is left of a call. */
  #askScript(left: readonly Pending[], first: FirstTrip): void {
    for (const { name, args, operation, resolve, reject } of this.#scripts(left, first)) {
      this.#batch.send(name, args, { operation, within: first.within }).then(resolve, reject);
    }
  }

  /** The calls of the script for these reads; `first` is what came of them without it. */
  #scripts(reads: readonly Pending[], first?: FirstTrip): Call[] {
    const all: Pending[] = [];
    const ends = KINDS.map((kind) => all.push(...reads.filter((read) => read.kind === kind)));
    const calls: Call[] = [];
    for (let i = 0; i < all.length; i += KEYS_PER_CALL) {
      const part = all.slice(i, i + KEYS_PER_CALL);
      calls.push(this.#call(part, ends.map((end) => Math.max(0, Math.min(end - i, part.length))), first));
    }
    return calls;
  }

  #add(pending: Pending): void {
    if (this.#waiting.length >= this.#batch.maxQueued) {
      return pending.reject(this.#batch.diagnosis.unavailable(this.operation, "overload"));
    }
    this.#waiting.push(pending);
    if (this.#joined) return;
    this.#joined = true;
    this.#batch.join(this);
  }

  #empty(): Pending[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#joined = false;
    return waiting;
  }

  /** `ends` says how many of the reads come up to the end of each kind. */
  #call(reads: readonly Pending[], ends: readonly number[], first?: FirstTrip): Call {
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
        for (let i = 0; i < reads.length; i++) {
          const part = parts[i]!;
          if (first) this.#clear(reads[i]!.handle, part, first.revoked);
          else if (i >= touches) this.#coldness.add(isSettled(part));
          reads[i]!.resolve(part, json);
        }
      },
      reject,
    }, { within: first?.within, whole: READ.isNew(this.#batch) });
    return { ...call, written: (now) => begin(reads, now) };
  }

  /** Remembers that a session is alive although it is older than a revocation: it was about others. */
  #clear(handle: string, part: ReplyPart, revoked: number): void {
    const head = Array.isArray(part) && part.length === 3 && part[0];
    if (head instanceof Uint8Array && revoked !== Infinity) this.#cleared.add(handle, bornOf(head), revoked);
  }
}

/** What came of reads that the script has to settle. */
interface FirstTrip {
  readonly within: Deadline;
  /** The newest revocation then. */
  readonly revoked: number;
}

/** Those who wait have waited for the write. */
function begin(reads: readonly Pending[], now: number): void {
  for (const { within } of reads) within?.begin(now);
}

/** Whether it would have been settled without a script: a session that is there, and was not rolled. */
function isSettled(part: ReplyPart): boolean {
  const flags = Array.isArray(part) && part.length === 3 && part[2];
  return flags instanceof Uint8Array && flags[0] === 0;
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
