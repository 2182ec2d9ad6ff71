import { RedisError } from "../errors.ts";
import type { Batch } from "../redis/batch.ts";
import { hashTags } from "../redis/buckets.ts";
import { Script } from "../redis/script.ts";
import { decoder } from "../util/utf8.ts";

/** For how long nothing that was allowed is tried again, in milliseconds, unless something is refused meanwhile. */
const KNOWN_FOR = 300_000;

/** Who needs a command: the cache; sessions, limits and locks; or only channels and streams. */
type Need = "c" | "s" | "x";

/**
 * The commands that scripts run, who needs them, and arguments with which they change nothing. `key` is one that is
 * never there; where a command cannot but make it, those behind it remove it.
 */
const TRIED: readonly [command: string, needs: "c" | "s" | "cs" | "x", args: string][] = [
  ["TIME", "cs", ""],
  ["EXISTS", "cs", "key"],
  ["MGET", "cs", "key"],
  ["GETRANGE", "c", "key, 0, 0"],
  ["STRLEN", "c", "key"],
  ["SETRANGE", "cs", "key, 0, ''"],
  ["PERSIST", "cs", "key"],
  ["PEXPIREAT", "cs", "key, 1"],
  ["HDEL", "s", "key, ''"],
  ["HGET", "s", "key, ''"],
  ["HGETALL", "x", "key"],
  ["HMGET", "s", "key, ''"],
  ["HSET", "s", "key, '', '', ''"], // one argument too many
  ["HVALS", "s", "key"],
  ["ZADD", "cs", "key, 'XX', 0, ''"],
  ["ZCARD", "cs", "key"],
  ["ZCOUNT", "c", "key, 0, 0"],
  ["ZMSCORE", "cs", "key, ''"],
  ["ZRANGE", "cs", "key, 0, 0"],
  ["ZRANGEBYSCORE", "c", "key, 0, 0"],
  ["ZREVRANGEBYSCORE", "c", "key, 0, 0"],
  ["ZREM", "cs", "key, ''"],
  ["ZREMRANGEBYRANK", "cs", "key, 0, 0"],
  ["ZREMRANGEBYSCORE", "cs", "key, 0, 0"],
  ["ZSCORE", "cs", "key, ''"],
  ["RENAME", "s", "key, key"],
  ["PSETEX", "s", "key, 0, ''"], // no time is left
  ["XADD", "x", "key, 'NOMKSTREAM', '*', 'v', ''"],
  ["XACK", "x", "key, 'g', '0-1'"],
  ["XCLAIM", "x", "key, 'g', 'p', 0, '0-1'"],
  ["XDEL", "x", "key, '0-1'"],
  ["XGROUP|CREATE", "x", "key, 'g', '$'"],
  ["XGROUP|DELCONSUMER", "x", "key, 'g', 'p'"],
  ["XINFO|CONSUMERS", "x", "key, 'g'"],
  ["XINFO|GROUPS", "x", "key"],
  ["XLEN", "x", "key"],
  ["XPENDING", "x", "key, 'g'"],
  ["XRANGE", "x", "key, '-', '+', 'COUNT', 1"],
  ["XREADGROUP", "x", "'GROUP', 'g', 'p', 'COUNT', 1, 'STREAMS', key, '>'"],
  ["XREVRANGE", "x", "key, '+', '-', 'COUNT', 1"],
  ["XTRIM", "x", "key, 'MAXLEN', 1"],
  ["PUBLISH", "x", "ARGV[2], ''"],
  ["APPEND", "s", "key, ''"],
  ["INCR", "x", "key"], // no number
  ["SET", "cs", "key, '', 'XX'"],
  ["PEXPIRE", "cs", "key, 1"],
  ["DEL", "cs", "key"],
  ["UNLINK", "cs", "key"],
];

/** What is tried. */
const COMMANDS: ReadonlySet<string> = new Set(TRIED.map(([command]) => command));

/**
 * Tries commands, so that it is known which of them are refused: older servers do not say so themselves where that is
 * within a script.
 *
 * KEYS: 1 = a key that is never there
 * ARGV: 1 = whose commands: letters of {@linkcode Need}, 2 = a channel that nobody hears
 * Reply: those that its user may not run, `;`, and those that the server does not have; with spaces between.
 */
const TRY = new Script(`
local key, needs = KEYS[1], '[' .. ARGV[1] .. ']'
local denied, unknown = {}, {}
local function try(name, of, ...)
  if not string.find(of, needs) then return end
  local reply = redis.pcall(...)
  local said = type(reply) == 'table' and reply.err
  if not said then return end
  if string.find(said, '[Uu]nknown [%w ]*command') then
    unknown[#unknown + 1] = name
  elseif string.find(said, "can't run", 1, true) or string.find(said, 'permissions to run', 1, true) then
    denied[#denied + 1] = name
  end
end
${
  TRIED.map(([command, needs, args]) => {
    const words = command.split("|").map((word) => `'${word}'`).join(", ");
    return `try('${command}', '${needs}', ${words}${args && `, ${args}`})`;
  }).join("\n")
}
return table.concat(denied, ' ') .. ';' .. table.concat(unknown, ' ')`);

/** What the user of a server lacks. */
interface Lacking {
  /** What he may not run. */
  readonly denied: readonly string[];
  /** What the server does not have. */
  readonly unknown: readonly string[];
}

const NOTHING: Lacking = { denied: [], unknown: [] };

/** Knows which commands the user of a server lacks. */
export class Rights {
  readonly #batch: Batch;
  readonly #needs: string;
  readonly #keys: readonly string[];
  readonly #channel: string;
  /** When nothing was missing last, and on which connection. */
  #fineAt = -Infinity;
  #generation = -1;

  /**
   * @param batch The server.
   * @param config The first part of all keys, over how many buckets they are spread, and what is on the server.
   */
  constructor(
    batch: Batch,
    config: { readonly namespace: string; readonly buckets: number; readonly cache: boolean; readonly state: boolean },
  ) {
    const { namespace, buckets, cache, state } = config;
    this.#batch = batch;
    this.#needs = `${cache ? "c" : ""}${state ? "s" : ""}`;
    this.#keys = hashTags(namespace, buckets).map((tag) => `{${tag}}:rights`);
    this.#channel = `${namespace}:~rights`;
  }

  /**
   * What is missing, for people, as far as it is not among what has been told already. Tries the commands that every
   * service of the server needs; where something was refused, all of them. Once nothing is missing it asks no more for
   * a while.
   */
  async problem(signal: AbortSignal | undefined, told: (command: string) => boolean): Promise<string> {
    const { diagnosis } = this.#batch;
    const suspected = diagnosis.lackedAt > this.#fineAt;
    const { denied, unknown } = await this.#lacking(signal, suspected ? `${this.#needs}x` : this.#needs);
    const texts: string[] = [];
    const [may, has] = [denied, unknown].map((commands) => commands.filter((command) => !told(command)).join(", "));
    if (may) texts.push(`its user may not run ${may} (NOPERM)`);
    if (has) texts.push(`it has no ${has} (unknown command)`);
    return texts.join("; ");
  }

  /** Why the services of the server cannot do what they have to; nothing where no command is missing. */
  async missing(signal?: AbortSignal): Promise<RedisError | undefined> {
    const { denied, unknown } = await this.#lacking(signal, this.#needs);
    if (denied.length > 0) return new RedisError(`NOPERM this user may not run ${denied.join(", ")}`);
    return unknown.length > 0 ? new RedisError(`ERR unknown command '${unknown.join(", ")}'`) : undefined;
  }

  async #lacking(signal: AbortSignal | undefined, needs: string): Promise<Lacking> {
    const { client, diagnosis } = this.#batch;
    const { generation } = client;
    const [began, heard] = [performance.now(), diagnosis.lackedAt];
    const fine = this.#generation === generation && began - this.#fineAt < KNOWN_FOR && heard <= this.#fineAt;
    if (fine) return NOTHING;
    // On a cluster each node has rights of its own.
    const keys = heard > this.#fineAt ? this.#keys : this.#keys.slice(0, 1);
    const found = await Promise.all(keys.map((key) => this.#try(key, needs, signal)));
    const known = found.filter((one) => one !== undefined);
    const [denied, unknown] = (["denied", "unknown"] as const).map((kind) => [
      ...new Set(known.flatMap((one) => one[kind])),
    ]);
    if (known.length < found.length) return { denied: denied!, unknown: unknown! }; // others tell why
    const lacking = new Set([...denied!, ...unknown!]);
    // What was refused before, and is not any more, is over.
    if (needs.includes("x")) {
      diagnosis.allowed(
        began,
        (command) => command === "" ? lacking.size === 0 : COMMANDS.has(command) && !lacking.has(command),
      );
    }
    if (lacking.size === 0 && (needs.includes("x") || heard <= this.#fineAt)) {
      this.#fineAt = began;
      this.#generation = generation;
    }
    return { denied: denied!, unknown: unknown! };
  }

  async #try(key: string, needs: string, signal: AbortSignal | undefined): Promise<Lacking | undefined> {
    const options = { operation: "check what is allowed", signal };
    const reply = await TRY.run(this.#batch, [key], [needs, this.#channel], options).catch(() => undefined);
    if (!(reply instanceof Uint8Array)) return undefined;
    const [denied = [], unknown = []] = decoder.decode(reply).split(";").map((names) =>
      names.split(" ").filter(Boolean)
    );
    return { denied, unknown };
  }
}
