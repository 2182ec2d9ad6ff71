import { abortable } from "../abort.ts";
import { RedisError } from "../errors.ts";
import type { Batch } from "../redis/batch.ts";
import { Deadline } from "../redis/deadline.ts";
import type { RedisArgument, RedisReply } from "../redis/client.ts";
import type { Script } from "../redis/script.ts";
import { RedisReader } from "./redis_reader.ts";
import { doubles, parts, readSession, sessionOf, textOf, writeField, writeTags } from "./redis_reply.ts";
import { unavailable } from "../redis/refusals.ts";
import { CREATE, DESTROY, LIST, REGENERATE, REVOKE, UPDATE } from "./scripts.ts";
import type {
  NewSession,
  PlacedSession,
  SessionPatch,
  SessionRenewal,
  SessionStore,
  SessionStoreOptions,
  StoredSession,
} from "./store.ts";
import { bucketOf, bucketOfHandle } from "./token.ts";

/** How a Redis store of sessions works. */
export interface RedisSessionStoreOptions {
  /** First part of all keys. */
  namespace: string;
  /** Number of hash slots to spread over; more than 1 only on a cluster. @default {1} */
  buckets?: number;
  /** Milliseconds between two writes of a session's last use. @default {a 24th of its time to live, at most 5 minutes} */
  touchEvery?: number | undefined;
}

/** Most sessions that one script call of a revocation removes. */
const REMOVED_PER_CALL = 500;
/** Most revocations that the ledger of one slot remembers. */
const REVOCATIONS = 100_000;
/** Milliseconds for which a revocation is remembered at least, for logins that are under way. */
const REMEMBERED = 60_000;

/** The µs that a server's clock goes on in a millisecond of ours, at least and at most: clocks are set right by up to 500 ppm. */
const SLOWEST = 999.5;
const FASTEST = 1000.5;

/** Keeps sessions in Redis. Reads of one tick are one round trip; see `scripts.ts` for the keys. */
export class RedisSessionStore implements SessionStore {
  readonly kind = "redis" as const;
  readonly buckets: number;
  readonly #slots: readonly Slot[];
  readonly #batch: Batch;

  constructor(batch: Batch, options: RedisSessionStoreOptions) {
    const { namespace, buckets = 1, touchEvery = -1 } = options;
    this.buckets = buckets;
    this.#batch = batch;
    const width = String(buckets - 1).length;
    this.#slots = Array.from({ length: buckets }, (_, i) => {
      const tag = buckets === 1 ? namespace : `${namespace}:${String(i).padStart(width, "0")}`;
      return new Slot(batch, `{${tag}}:s`, touchEvery);
    });
  }

  /** A deadline for a call that takes several steps. */
  deadline(): Deadline {
    return new Deadline(this.#batch.commandTimeout);
  }

  async create(
    handle: string,
    session: NewSession,
    options: SessionStoreOptions = {},
  ): Promise<PlacedSession | undefined> {
    options = { within: this.deadline(), ...options };
    const slot = this.#at(handle);
    const begun = session.since ?? performance.now();
    const operation = "create session";
    const { userId, tags, device, fields, idle, absolute, maxPerUser } = session;
    const args = [userId, writeTags(tags), device, idle, absolute, maxPerUser, ...pairs(fields)];
    const reply = await slot.run(CREATE, [handle], args, operation, options);
    if (reply === 0) return undefined;
    const [born, us, revoked, evicted] = doubles(reply, 4);
    if (slot.isLate(begun, born!, revoked!)) await this.destroy(handle, options);
    const now = Math.floor(us! / 1000);
    return {
      evicted: evicted!,
      session: {
        handle,
        userId,
        tags,
        device,
        fields,
        createdAt: now,
        lastSeenAt: now,
        expiresAt: Math.min(idle > 0 ? now + idle : Infinity, absolute > 0 ? now + absolute : Infinity),
        idle,
        version: 1,
        touched: true,
      },
    };
  }

  read(
    handle: string,
    mode: "roll" | "peek",
    options: SessionStoreOptions = {},
  ): Promise<StoredSession | undefined> {
    const { signal, within } = options;
    const read = this.#at(handle).reader.read(handle, mode, within);
    return signal ? abortable(read, signal) : read;
  }

  async touch(handle: string, options: SessionStoreOptions = {}): Promise<boolean> {
    const { signal } = options;
    const touch = this.#at(handle).reader.touch(handle);
    return await (signal ? abortable(touch, signal) : touch);
  }

  async update(
    handle: string,
    patch: SessionPatch,
    version: number | undefined,
    options: SessionStoreOptions = {},
  ): Promise<{ session: StoredSession; conflict: boolean } | undefined> {
    const args = [version ?? 0, ...change(patch)];
    const [part] = parts(await this.#at(handle).run(UPDATE, [handle], args, "update session", options));
    return sessionOf(handle, part);
  }

  async destroy(handle: string, options: SessionStoreOptions = {}): Promise<boolean> {
    return await this.#at(handle).run(DESTROY, [handle], [0], "destroy session", options) === 1;
  }

  async take(handle: string, options: SessionStoreOptions = {}): Promise<StoredSession | undefined> {
    const [part] = parts(await this.#at(handle).run(DESTROY, [handle], [1], "take session", options));
    return sessionOf(handle, part)?.session;
  }

  async regenerate(
    handle: string,
    to: string,
    renewal: SessionRenewal,
    options: SessionStoreOptions = {},
  ): Promise<PlacedSession | "taken" | undefined> {
    const { userId = "", absolute, maxPerUser } = renewal;
    options = { within: this.deadline(), ...options };
    const slot = this.#at(handle);
    const begun = performance.now();
    const args = [userId, absolute, maxPerUser, ...change(renewal)];
    const reply = await slot.run(REGENERATE, [handle, to], args, "regenerate session", options);
    if (reply === 0) return "taken";
    const [part, more] = parts(reply);
    const told = sessionOf(to, part);
    if (!told) return undefined;
    const [born, , revoked, evicted] = doubles(more, 4);
    // For a user who is named this is a login.
    if (userId !== "" && slot.isLate(begun, born!, revoked!)) await this.destroy(to, options);
    return { session: told.session, evicted: evicted! };
  }

  async list(userId: string, options: SessionStoreOptions = {}): Promise<StoredSession[]> {
    const slot = this.#slots[bucketOf(userId, this.buckets)]!;
    const reply = parts(await slot.run(LIST, [], [userId], "list sessions", options));
    return reply.flatMap((part) => {
      if (!Array.isArray(part)) throw new RedisError("ERR the reply makes no sense");
      try {
        // The script need not say whose they are.
        return [{ ...readSession(textOf(part[0]), part, 1).session, userId }];
      } catch {
        return []; // a record that is damaged hides no others
      }
    });
  }

  revokeUser(userId: string, except: string | undefined, options: SessionStoreOptions = {}): Promise<number> {
    return this.#slots[bucketOf(userId, this.buckets)]!.revoke(`u:${userId}`, except, "destroy sessions", options);
  }

  async revokeTag(tag: string, options: SessionStoreOptions = {}): Promise<number> {
    const all = this.#slots.map((slot) => slot.revoke(`t:${tag}`, undefined, "destroy sessions by tag", options));
    // Where one slot fails the others are not left half done.
    const counts = await Promise.allSettled(all);
    return counts.reduce((sum, outcome) => {
      if (outcome.status === "rejected") throw outcome.reason;
      return sum + outcome.value;
    }, 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(); // the connection is whose who opened it
  }

  /** The commands of this store, for those who share its connection. */
  get batch(): Batch {
    return this.#batch;
  }

  #at(handle: string): Slot {
    return this.#slots[bucketOfHandle(handle)]!;
  }
}

/** The sessions of one hash slot. */
class Slot {
  readonly #batch: Batch;
  readonly #base: string;
  readonly #touchEvery: number;
  readonly reader: RedisReader;
  /** What the clock of the ledger showed, in µs, and when that was heard, by `performance.now()`. */
  #shown = -Infinity;
  #heardAt = 0;
  /** The clock of the newest revocation that was made here, and when its end was heard. */
  #revoked = -Infinity;
  #revokedAt = Infinity;

  constructor(batch: Batch, base: string, touchEvery: number) {
    this.#batch = batch;
    this.#base = base;
    this.#touchEvery = touchEvery;
    this.reader = new RedisReader(batch, base, touchEvery, (us) => this.told(us));
  }

  async run(
    script: Script,
    handles: readonly string[],
    args: readonly RedisArgument[],
    operation: string,
    options: SessionStoreOptions,
  ): Promise<RedisReply> {
    const keys = handles.map((handle) => `${this.#base}:${handle}`);
    keys.push(`${this.#base}l`);
    try {
      return await script.run(this.#batch, keys, [this.#touchEvery, ...args], {
        ...options,
        operation,
        whole: script.isNew(this.#batch),
      });
    } catch (error) {
      throw unavailable(error, operation);
    }
  }

  async revoke(
    name: string,
    except: string | undefined,
    operation: string,
    options: SessionStoreOptions,
  ): Promise<number> {
    const kept = Math.max(REMEMBERED, 2 * this.#batch.commandTimeout);
    let [total, clock] = [0, 0];
    while (true) {
      const args = [name, except ?? "", REMOVED_PER_CALL, clock, kept, REVOCATIONS];
      const begun = performance.now();
      const [at, us, removed, more] = doubles(await this.run(REVOKE, [], args, operation, options), 4);
      this.told(Math.max(us!, at!), begun);
      this.#revoked = Math.max(this.#revoked, at!);
      this.#revokedAt = performance.now();
      total += removed!;
      clock = at!;
      if (more === 0) return total;
    }
  }

  /**
   * Whether a login that began at `begun`, and was born at the clock `born`, may have been under way when its user or one of its tags
   * was revoked, at the clock `revoked`. The revocation is known to have been before it when it ended here before, or was earlier than all
   * the time that the call took, or than what the clock was known to show.
   */
  isLate(begun: number, born: number, revoked: number): boolean {
    const ended = begun >= this.#revokedAt && revoked <= this.#revoked;
    const known = this.#knownAt(begun);
    // The clock of a server can be set back. That of the ledger then stands still, but does not go back too.
    const shown = known <= born ? known : begun >= this.#heardAt && this.#shown <= born ? this.#shown : -Infinity;
    const earliest = Math.max(shown, born - (performance.now() - begun) * FASTEST);
    this.told(born, begun);
    return !ended && revoked > earliest;
  }

  /** The clock of the ledger showed this between `begun` and now. */
  told(us: number, begun: number = -Infinity): void {
    const now = performance.now();
    // Replies take different times: the one that took the least says most, unless the clock was set back.
    if (this.#knownAt(now) > us && this.#knownAt(begun) <= us) return;
    this.#shown = us;
    this.#heardAt = now;
  }

  /** What the clock of the ledger showed at least at a moment of this process, unless it was set back. */
  #knownAt(moment: number): number {
    return moment >= this.#heardAt ? this.#shown + (moment - this.#heardAt) * SLOWEST : -Infinity;
  }
}

function pairs(fields: ReadonlyMap<string, Uint8Array>): RedisArgument[] {
  return [...fields].flatMap(([name, value]) => [`d${name}`, writeField(name, value)]);
}

function change({ set, remove }: SessionPatch): RedisArgument[] {
  return [remove.length, ...remove.map((name) => `d${name}`), ...pairs(set)];
}
