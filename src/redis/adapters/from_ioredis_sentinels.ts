import { RedisError, UnavailableError } from "../../errors.ts";
import { clearTimeout, setTimeout } from "../../util/real_timers.ts";
import type { RedisClient, RedisReply } from "../client.ts";
import { type NodeAddress, nodeName, type SlotRange, SLOTS } from "../cluster/slot_map.ts";
import type { ClusterSource } from "../cluster/source.ts";
import { askAll, type Told } from "../sentinel/ask_all.ts";
import { DISCONNECT_WITHIN, ExternalIoredis } from "./external_ioredis.ts";
import type { IoredisLike } from "./ioredis_like.ts";
import { nodeOptions, translated } from "./ioredis_node.ts";
import { toReply } from "./replies.ts";

/** How long a Sentinel may take to be reached and to answer, in milliseconds. */
const ANSWERS_WITHIN = 5000;
/** Most Sentinels that are asked. */
const MOST = 20;
const OPERATION = "find the primary";

/**
 * Connections like those of an `ioredis` client behind Sentinels, to whichever server is the primary. The client itself
 * is left alone: it asks one Sentinel after the other, waits for one that hangs, and connects again only after what its
 * `retryStrategy` says.
 */
export class IoredisSentinelSource implements ClusterSource {
  readonly name: string = "ioredis Sentinel";
  readonly cluster: boolean = false;
  readonly db: number;
  readonly #redis: IoredisLike;
  /** Those that were given, and those that they know. */
  readonly #sentinels = new Map<string, NodeAddress>();
  /** Questions that are out: one that hangs is not asked again meanwhile. */
  readonly #asked = new Map<string, Promise<Told | undefined>>();
  readonly #stop = new AbortController();
  #failure: unknown;

  constructor(redis: IoredisLike) {
    this.#redis = redis;
    this.db = redis.options.db ?? 0;
    for (const { host = "127.0.0.1", port = 26379 } of redis.options.sentinels ?? []) this.#learn({ host, port });
  }

  seeds(): NodeAddress[] {
    return [];
  }

  open(at: NodeAddress): RedisClient {
    const { tls, enableTLSForSentinelMode } = this.#redis.options;
    const redis = this.#redis.duplicate({
      ...nodeOptions(at),
      sentinels: null,
      name: null,
      tls: enableTLSForSentinelMode ? tls : undefined,
    });
    return new ExternalIoredis(redis, true);
  }

  forBlocking(): ClusterSource {
    return new IoredisSentinelSource(this.#redis);
  }

  translate(at: NodeAddress): NodeAddress {
    return translated(this.#redis.options.natMap, at);
  }

  async owners(): Promise<readonly SlotRange[]> {
    const [told] = await askAll([...this.#sentinels.values()], (at) => this.#ask(at));
    if (!told) throw this.#failure;
    for (const other of told.others) this.#learn(this.translate(other));
    return [{ first: 0, last: SLOTS - 1, owner: told.primary }];
  }

  async close(): Promise<void> {
    this.#stop.abort(new UnavailableError(OPERATION, "closed"));
    await Promise.all(this.#asked.values());
  }

  #learn(at: NodeAddress): void {
    if (this.#sentinels.size < MOST) this.#sentinels.set(nodeName(at), at);
  }

  #ask(at: NodeAddress): Promise<Told | undefined> {
    const name = nodeName(at);
    const out = this.#asked.get(name);
    if (out) return out;
    const asked = this.#answerOf(at).catch((error: unknown) => void (this.#failure = error)).finally(() => {
      this.#asked.delete(name);
    });
    this.#asked.set(name, asked);
    return asked;
  }

  /** Asks one Sentinel, over a connection for that. */
  async #answerOf(at: NodeAddress): Promise<Told> {
    const { signal } = this.#stop;
    const { sentinelUsername = null, sentinelPassword = null, sentinelTLS, name } = this.#redis.options;
    const redis = this.#redis.duplicate({
      ...nodeOptions(at),
      sentinels: null,
      name: null,
      username: sentinelUsername,
      password: sentinelPassword,
      tls: sentinelTLS ?? undefined,
      db: 0,
      protocol: 2,
      enableReadyCheck: false,
      connectTimeout: ANSWERS_WITHIN,
      retryStrategy: () => null,
    });
    let failure: unknown;
    redis.on("error", (error) => failure ??= error);
    const close = () => {
      const { stream } = redis;
      redis.disconnect();
      stream?.destroy(); // it would wait for one that hangs
    };
    const timer = setTimeout(() => {
      failure ??= new UnavailableError(`reach the Sentinel ${nodeName(at)}`, "timeout");
      close();
    }, ANSWERS_WITHIN);
    signal.addEventListener("abort", close, { once: true });
    try {
      signal.throwIfAborted();
      await redis.connect();
      const pipeline = redis.pipeline();
      for (const what of ["get-master-addr-by-name", "master", "sentinels"]) {
        pipeline.callBuffer("sentinel", [what, name!]);
      }
      const replies = await pipeline.exec() ?? [];
      return toldBy(replies.map(([error, reply]) => toReply(error ?? reply, true)), name!);
    } catch (error) {
      throw failure ?? error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", close);
      close();
      // The client waits for the end of its socket by a timer, although that may have ended long ago.
      await new Promise((resolve) => setTimeout(resolve, 2 * DISCONNECT_WITHIN));
    }
  }
}

/** Reads what a Sentinel answers; only the address has to be there: a user may not be allowed more. */
function toldBy([address, primary, others]: readonly RedisReply[], name: string): Told {
  if (address instanceof RedisError) throw address;
  if (!Array.isArray(address)) {
    throw new UnavailableError(OPERATION, "refused", {
      cause: new RedisError(`ERR the Sentinels know no primary named "${name}"`),
    });
  }
  const sentinels = (Array.isArray(others) ? others : []).map(fieldsOf);
  return {
    primary: { host: String(address[0]), port: Number(address[1]) },
    epoch: Number(fieldsOf(primary)["config-epoch"] ?? 0),
    others: sentinels.flatMap(({ ip, port, flags = "" }) =>
      ip && port && !/s_down|disconnected/.test(flags) ? [{ host: ip, port: Number(port) }] : []
    ),
  };
}

function fieldsOf(reply: RedisReply | undefined): Record<string, string> {
  const list = Array.isArray(reply) ? reply.map(String) : [];
  return Object.fromEntries(list.flatMap((name, i) => i % 2 === 0 ? [[name, list[i + 1] ?? ""]] : []));
}
