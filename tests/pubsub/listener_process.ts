/**
 * A process that listens: `listener_process.ts URL`. Says "ready", reads a channel of numbered messages until the one
 * with the number 0, by a loop that keeps up and by one that is slow, and prints what it was told as one line of JSON.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { type ChannelItem, connect } from "../../mod.ts";

/** What is published. */
export interface Tick {
  readonly id: number;
  readonly text: string;
}

/** What a loop was told. */
export interface Told {
  readonly received: number;
  /** Losses of touch that were told. */
  readonly gaps: number;
  readonly dropped: number;
  /** Numbers that are missing where nothing was told, as `[first, last]`. */
  readonly silent: [number, number][];
}

/** What a process was told. */
export interface Report {
  readonly fast: Told;
  readonly slow: Told;
  /** The most messages that waited for the slow loop. */
  readonly mostWaiting: number;
  /** How many bytes of memory it has now, as opposed to when it began. */
  readonly grown: number;
}

async function listen(messages: AsyncIterable<ChannelItem<Tick>>, pause?: () => Promise<void>): Promise<Told> {
  let [received, gaps, dropped, last, told] = [0, 0, 0, 0, true];
  const silent: [number, number][] = [];
  for await (const item of messages) {
    if (item.gap) {
      told = true;
      if (item.dropped === undefined) gaps++;
      else dropped += item.dropped;
      continue;
    }
    const { id } = item.value!;
    if (id === 0) break;
    received++;
    if (!told && id !== last + 1) silent.push([last + 1, id - 1]);
    [last, told] = [id, false];
    if (received % 10 === 0) await pause?.();
  }
  return { received, gaps, dropped, silent };
}

if (import.meta.main) {
  const [url] = Deno.args as [string];
  const redis = await connect({ url, namespace: "ticks", commandTimeout: "10s", heartbeat: "200ms", on: () => {} });
  const channel = redis.pubsub.channel<Tick>("ticks");
  const [fast, slow] = [channel.subscribe({ buffer: 1_000_000 }), channel.subscribe({ buffer: 100 })];
  await Promise.all([fast.ready, slow.ready]);
  const { rss } = Deno.memoryUsage();
  let mostWaiting = 0;
  let over = false;
  const slowly = async () => {
    mostWaiting = Math.max(mostWaiting, redis.pubsub.stats().waiting);
    if (!over) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  console.log("ready");
  const slowTold = listen(slow, slowly);
  const fastTold = await listen(fast);
  over = true;
  const report: Report = {
    fast: fastTold,
    slow: await slowTold,
    mostWaiting,
    grown: Deno.memoryUsage().rss - rss,
  };
  console.log(JSON.stringify(report));
  await redis.close();
}
