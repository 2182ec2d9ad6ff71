import type { Batch } from "../../redis/batch.ts";
import type { RedisArgument, RedisReply } from "../../redis/client.ts";
import { withoutForeign } from "../../redis/foreign_keys.ts";
import { unavailable } from "../../redis/refusals.ts";
import { runReplicated } from "../../redis/replication.ts";
import type { Script } from "../../redis/script.ts";
import { SessionReader } from "./reader.ts";
import { doubles } from "./reply.ts";
import type { SessionStoreOptions } from "../store.ts";
import { REVOKE } from "./user_scripts.ts";

/** Most sessions that one script call of a revocation removes. */
const REMOVED_PER_CALL = 500;
/** Most revocations that the ledger of one slot remembers. */
const REVOCATIONS = 100_000;
/** Milliseconds for which a revocation is remembered at least, for logins that are under way. */
const REMEMBERED = 60_000;

/**
 * The µs that a server's clock goes on in a millisecond of ours, at least and at most: clocks are set right by up to
 * 500 ppm.
 */
const SLOWEST = 999.5;
const FASTEST = 1000.5;

/** The sessions of one hash slot. */
export class SessionSlot {
  readonly #batch: Batch;
  readonly #tag: string;
  readonly #base: string;
  readonly #touchEvery: number;
  readonly reader: SessionReader;
  /** What the clock of the ledger showed, in µs, and when that was heard, by `performance.now()`. */
  #shown = -Infinity;
  #heardAt = 0;
  /** The clock of the newest revocation that was made here, and when its end was heard. */
  #revoked = -Infinity;
  #revokedAt = Infinity;

  constructor(batch: Batch, tag: string, touchEvery: number) {
    this.#batch = batch;
    this.#tag = tag;
    this.#base = `{${tag}}:s`;
    this.#touchEvery = touchEvery;
    this.reader = new SessionReader(batch, this.#base, touchEvery, (us) => this.told(us));
  }

  async run(
    script: Script,
    handles: readonly string[],
    args: readonly RedisArgument[],
    operation: string,
    { signal, within, replication }: SessionStoreOptions,
  ): Promise<RedisReply> {
    const keys = handles.map((handle) => `${this.#base}:${handle}`);
    keys.push(`${this.#base}l`);
    try {
      const more = [this.#touchEvery, ...args];
      const options = { signal, within, operation };
      const reply = await runReplicated(this.#batch, script, keys, more, options, this.#tag, replication);
      return withoutForeign(this.#batch, operation, reply);
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
   * Whether a login that began at `begun`, and was born at the clock `born`, may have been under way when its user or
   * one of its tags was revoked, at the clock `revoked`. The revocation is known to have been before it when it ended
   * here before, or was earlier than all the time that the call took, or than what the clock was known to show.
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
