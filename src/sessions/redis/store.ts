import { abortable } from "../../util/abort.ts";
import type { Batch } from "../../redis/batch.ts";
import { hashTags } from "../../redis/buckets.ts";
import type { RedisArgument } from "../../redis/client.ts";
import { Deadline } from "../../redis/deadline.ts";
import { assertReplicates } from "../../redis/durability.ts";
import { unreadableReply } from "../../redis/unreadable_reply.ts";
import { tooMuch } from "../fields.ts";
import type { ReplyPart } from "./parts.ts";
import {
  doubles,
  parts,
  readSession,
  sizeOf,
  storedSessionOf,
  takenSessionOf,
  textOf,
  writeField,
  writeTags,
} from "./reply.ts";
import { SessionSlot } from "./slot.ts";
import { CREATE, DESTROY, REGENERATE, UPDATE } from "./scripts.ts";
import type {
  NewSession,
  PlacedSession,
  SealedStep,
  SessionEndOptions,
  SessionFollowOptions,
  SessionListOptions,
  SessionPatch,
  SessionRenewal,
  SessionStore,
  SessionStoreOptions,
  SessionUpdateOptions,
  StoredSession,
  WhenFull,
} from "../store.ts";
import { bucketOfHandle, bucketOfUser } from "../token.ts";
import { LIST, UPDATE_ALL } from "./user_scripts.ts";

/** How a Redis store of sessions works. */
export interface RedisSessionStoreOptions {
  /** First part of all keys. */
  namespace: string;
  /** Number of hash slots to spread over; more than 1 only on a cluster. @default {1} */
  buckets?: number;
  /**
   * Milliseconds between two writes of a session's last use. @default {a 24th of its time to live, at most 5 minutes}
   */
  touchEvery?: number | undefined;
}

/** Most sessions that one script call changes. */
const CHANGED_PER_CALL = 200;

/** Keeps sessions in Redis. Reads of one tick are one round trip; see `scripts.ts` for the keys. */
export class RedisSessionStore implements SessionStore {
  readonly kind = "redis" as const;
  readonly buckets: number;
  readonly #slots: readonly SessionSlot[];
  readonly #batch: Batch;

  constructor(batch: Batch, options: RedisSessionStoreOptions) {
    const { namespace, buckets = 1, touchEvery = -1 } = options;
    this.buckets = buckets;
    this.#batch = batch;
    this.#slots = hashTags(namespace, buckets).map((tag) => new SessionSlot(batch, tag, touchEvery));
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
    const { userId, tags, device, fields, idle, absolute, maxPerUser, whenFull, persistent, replaces } = session;
    const limits = [idle, absolute, maxPerUser, orderOf(whenFull), flag(persistent)];
    const trace = [replaces?.grace ?? 0, replaces?.sealed ?? ""];
    const args = [userId, writeTags(tags), device, ...limits, ...trace, ...pairs(fields)];
    const reply = await slot.run(CREATE, replaces ? [handle, replaces.handle] : [handle], args, operation, options);
    if (!(reply instanceof Uint8Array)) return undefined;
    const [born, us, revoked] = doubles(reply.subarray(0, 32), 4);
    if (slot.isLate(begun, born!, revoked!)) await this.destroy(handle, options);
    const now = Math.floor(us! / 1000);
    return {
      evicted: handlesOf(reply.subarray(32)),
      session: {
        handle,
        userId,
        tags,
        device,
        fields,
        createdAt: now,
        lastSeenAt: now,
        expiresAt: Math.min(idle > 0 ? now + idle : Infinity, absolute > 0 ? now + absolute : Infinity),
        persistent,
        idle,
        version: 1,
        touched: true,
      },
    };
  }

  read(
    handle: string,
    mode: "roll" | "peek",
    { signal, within, follow = false }: SessionFollowOptions = {},
  ): Promise<StoredSession | "ended" | "unreadable" | undefined> {
    const read = this.#at(handle).reader.read(handle, mode, follow, within);
    return signal ? abortable(read, signal) : read;
  }

  async touch(handle: string, { signal }: SessionStoreOptions = {}): Promise<boolean> {
    const touch = this.#at(handle).reader.touch(handle);
    return await (signal ? abortable(touch, signal) : touch);
  }

  async update(
    handle: string,
    patch: SessionPatch,
    version: number | undefined,
    options: SessionUpdateOptions = {},
  ): Promise<{ session: StoredSession; conflict: boolean } | undefined> {
    const operation = "update session";
    const { follow = false, before = false } = options;
    const { maxBytes = 0 } = patch;
    const args = [version ?? 0, Number(follow), maxBytes, tagsOf(patch), Number(before), ...change(patch)];
    const [part] = parts(await this.#at(handle).run(UPDATE, [handle], args, operation, options));
    return storedSessionOf(handle, fitting(part, operation, maxBytes));
  }

  async updateAll(userId: string, patch: SessionPatch, options: SessionStoreOptions = {}): Promise<number> {
    const operation = "update sessions";
    const slot = this.#slots[bucketOfUser(userId, this.buckets)]!;
    const { maxBytes = 0 } = patch;
    const args = [userId, CHANGED_PER_CALL, maxBytes, tagsOf(patch), ...change(patch)];
    let [handles, total, refused]: [string[], number, ReplyPart | undefined] = [[], 0, undefined];
    do {
      const reply = parts(await slot.run(UPDATE_ALL, handles.slice(0, CHANGED_PER_CALL), args, operation, options));
      const [count, size, left] = reply;
      total += Number(textOf(count));
      if (sizeOf(size)) refused = size;
      handles = handles.length > 0 ? handles.slice(CHANGED_PER_CALL) : Array.isArray(left) ? left.map(textOf) : [];
    } while (handles.length > 0);
    fitting(refused, operation, maxBytes);
    return total;
  }

  async destroy(
    handle: string,
    options: SessionEndOptions = {},
  ): Promise<boolean | "ended"> {
    const args = [0, owner(options.userId), options.grace ?? 0, 1];
    const answer = await this.#at(handle).run(DESTROY, [handle], args, "destroy session", options);
    return answer === 2 ? "ended" : answer === 1;
  }

  async take(
    handle: string,
    options: SessionEndOptions & SessionFollowOptions = {},
  ): Promise<StoredSession | undefined> {
    const args = [1, owner(options.userId), options.grace ?? 0, Number(options.follow ?? false)];
    const reply = await this.#at(handle).run(DESTROY, [handle], args, "take session", options);
    return reply === 0 ? undefined : takenSessionOf(handle, parts(reply)[0]);
  }

  async regenerate(
    handle: string,
    to: string,
    renewal: SessionRenewal,
    options: SessionFollowOptions = {},
  ): Promise<PlacedSession | "taken" | undefined> {
    options = { within: this.deadline(), ...options };
    const { follow = false } = options;
    const operation = "regenerate session";
    const { userId = "", absolute, maxPerUser, whenFull, idle, device = "", persistent, grace, sealed } = renewal;
    const { maxBytes = 0 } = renewal;
    const slot = this.#at(handle);
    const begun = performance.now();
    const login = [userId, absolute ?? "", maxPerUser, orderOf(whenFull)];
    const itself = [idle ?? "", tagsOf(renewal), device, flag(persistent)];
    const args = [...login, ...itself, grace, sealed, Number(follow), maxBytes, ...change(renewal)];
    const reply = await slot.run(REGENERATE, [handle, to], args, operation, options);
    if (reply === 0) return "taken";
    const [part, more, gone, steps] = parts(reply);
    const told = storedSessionOf(steps ? handle : to, fitting(part, operation, maxBytes));
    if (!told) return undefined;
    const [born, , revoked] = doubles(more, 4);
    // For a user who is named this is a login.
    if (userId !== "" && slot.isLate(begun, born!, revoked!)) await this.destroy(told.session.handle, options);
    return { session: told.session, evicted: handlesOf(gone), ...(steps && { steps: stepsOf(steps, handle.length) }) };
  }

  async list(userId: string, options: SessionListOptions = {}): Promise<StoredSession[]> {
    const slot = this.#slots[bucketOfUser(userId, this.buckets)]!;
    const { limit = 0, after } = options;
    const args = [userId, limit, after?.handle ?? "", after?.createdAt ?? 0];
    const reply = parts(await slot.run(LIST, [], args, "list sessions", options));
    return reply.flatMap((part) => {
      if (!Array.isArray(part)) throw unreadableReply();
      try {
        // The script need not say whose they are.
        return [{ ...readSession(textOf(part[0]), part, 1).session, userId }];
      } catch {
        return []; // a record that is damaged hides no others
      }
    });
  }

  revokeUser(userId: string, except: string | undefined, options: SessionStoreOptions = {}): Promise<number> {
    return this.#slots[bucketOfUser(userId, this.buckets)]!.revoke(`u:${userId}`, except, "destroy sessions", options);
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

  assertReplicates(): void {
    assertReplicates(this.#batch.client, "sessions");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(); // the connection is whose who opened it
  }

  /** The commands of this store, for those who share its connection. */
  get batch(): Batch {
    return this.#batch;
  }

  #at(handle: string): SessionSlot {
    return this.#slots[bucketOfHandle(handle)]!;
  }
}

function pairs(fields: ReadonlyMap<string, Uint8Array>): RedisArgument[] {
  return [...fields].flatMap(([name, value]) => [`d${name}`, writeField(name, value)]);
}

function change({ set, remove }: SessionPatch): RedisArgument[] {
  return [remove.length, ...remove.map((name) => `d${name}`), ...pairs(set)];
}

/** The part, unless it says that there would be too much data. */
function fitting(part: ReplyPart | undefined, operation: string, maxBytes: number): ReplyPart | undefined {
  const size = sizeOf(part);
  if (size) throw tooMuch(operation, size, maxBytes);
  return part;
}

function handlesOf(part: ReplyPart | undefined): string[] {
  const text = textOf(part);
  return text === "" ? [] : text.split(",");
}

/** Each step is 32 bytes and a handle, all of one bucket. */
function stepsOf(part: ReplyPart, length: number): SealedStep[] {
  const steps: SealedStep[] = [];
  if (!(part instanceof Uint8Array)) return steps;
  for (let at = 0; at < part.length; at += 32 + length) {
    steps.push({ sealed: part.subarray(at, at + 32), handle: textOf(part.subarray(at + 32, at + 32 + length)) });
  }
  return steps;
}

function tagsOf({ tags }: SessionPatch): RedisArgument {
  if (!tags) return "";
  const written = writeTags(tags);
  const value = new Uint8Array(1 + written.length);
  value[0] = 0x74;
  value.set(written, 1);
  return value;
}

function orderOf(whenFull: WhenFull | undefined): string {
  return whenFull === "least-recent" ? "seen" : "created";
}

function flag(value: boolean | undefined): string {
  return value === undefined ? "" : value ? "1" : "0";
}

function owner(userId: string | undefined): string {
  return userId === undefined ? "" : `u${userId}`;
}
