import type { Batch } from "../redis/batch.ts";
import { OWN, withoutForeign } from "../redis/foreign_keys.ts";
import { unreadableReply } from "../redis/unreadable_reply.ts";
import { decoder } from "../util/utf8.ts";
import { Script } from "../redis/script.ts";

/** For how long a process counts that was not heard of, in milliseconds. */
const REMEMBERED = 900_000;

/**
 * Notes that a process is there, and tells the numbers of buckets of others.
 *
 * KEYS: 1 = the processes: a sorted set of `id:buckets`, by the time in ms when they were heard of last
 * ARGV: 1 = this process, 2 = its number of buckets, 3 = for how many ms it is remembered
 * Reply: the numbers of buckets of other processes that have another, with spaces between.
 */
const ANNOUNCE = new Script(`${OWN}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = tonumber(ARGV[3])
-- first: a server that is full lets a script go on that has written
own('ZADD', KEYS[1], now, ARGV[1] .. ':' .. ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - kept)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + kept, '+inf') -- nobody was heard of then
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1001)
redis.call('PEXPIRE', KEYS[1], kept)
local others, known = {}, {}
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local buckets = string.match(member, ':(%d%d?%d?%d?%d?)$')
  if buckets and buckets ~= ARGV[2] and not known[buckets] then
    known[buckets] = true
    others[#others + 1] = buckets
  end
end
return answer(table.concat(others, ' '))`);

/** The processes that share a namespace on a server: they have to spread keys in the same way. */
export class Fleet {
  readonly #batch: Batch;
  readonly #namespace: string;
  readonly #buckets: number;
  readonly #warn: (message: string) => void;
  readonly #id = crypto.randomUUID();
  #told = "";
  #announced = false;
  #problem: string | undefined;

  /**
   * @param batch The server.
   * @param config The namespace, and over how many buckets it is spread.
   * @param warn Told when other processes spread it otherwise.
   */
  constructor(batch: Batch, config: { namespace: string; buckets: number }, warn: (message: string) => void) {
    this.#batch = batch;
    this.#namespace = config.namespace;
    this.#buckets = config.buckets;
    this.#warn = warn;
  }

  /** What is wrong with the others, if anything is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Makes this process heard, and finds out about the others. It is a write like those of the services. */
  async announce(signal?: AbortSignal): Promise<void> {
    const args = [this.#id, this.#buckets, REMEMBERED];
    const operation = "check the processes";
    const told = await ANNOUNCE.run(this.#batch, [this.#key], args, { operation, signal });
    const reply = withoutForeign(this.#batch, operation, told);
    if (!(reply instanceof Uint8Array)) throw unreadableReply();
    this.#announced = true;
    const numbers = decoder.decode(reply).split(" ").filter(Boolean).map(Number);
    const others = numbers.sort((a, b) => a - b).join(", ");
    this.#problem = others === ""
      ? undefined
      : `Processes of the namespace "${this.#namespace}" differ in "buckets", ` +
        `so they do not see each other's data and invalidations: this one has ${this.#buckets}, others have ${others}`;
    if (this.#problem && this.#told !== others) this.#warn(this.#problem);
    this.#told = others;
  }

  /** Takes this process out, if that is possible without waiting for a server that is away. */
  async leave(): Promise<void> {
    if (!this.#announced || !this.#batch.client.connected || this.#batch.circuit !== "closed") return;
    const member = `${this.#id}:${this.#buckets}`;
    await this.#batch.send("ZREM", [this.#key, member], { operation: "leave" }).catch(() => {});
  }

  get #key(): string {
    return `{${this.#namespace}}:p`;
  }
}
