import type { KeptResponses } from "./kept_responses.ts";
import { LateResponseError } from "./response_errors.ts";
import type { ResponseLoad } from "./response_load.ts";

/** Milliseconds between two looks whether the body that one waits for goes on and on. */
const LOOK_EVERY = 1000;

/** What is waited for. */
export interface ResponseWait {
  readonly key: string;
  /** The load of one's own, if the cache has it run. */
  readonly load: ResponseLoad;
  /** What the cache says. */
  readonly cached: Promise<Uint8Array>;
  readonly kept: KeptResponses;
  /** Milliseconds that are waited for the load of another. */
  readonly timeout: number;
}

/** What comes first: the response of one's own load, or what the cache says. */
export async function settled(
  { key, load, cached, kept, timeout }: ResponseWait,
): Promise<Response | Uint8Array | Error | "late"> {
  const timers: ReturnType<typeof setTimeout>[] = [];
  const said = cached.then((bytes) => load.refusal ?? load.ready ?? bytes, (error) => {
    if (load.failed) return load.failed;
    return error instanceof LateResponseError && load.started
      ? "late" as const
      : error instanceof Error
      ? error
      : new Error(String(error), { cause: error });
  });
  const late = new Promise<"late">((resolve) => {
    // The load of one's own ends by itself.
    const giveUp = () => !load.started && resolve("late");
    if (timeout !== Infinity) timers.push(setTimeout(giveUp, timeout));
    timers.push(setInterval(async () => !load.started && await kept.isStreaming(key) && giveUp(), LOOK_EVERY));
  });
  try {
    return await Promise.race([load.own, said, late]);
  } finally {
    timers.forEach(clearTimeout);
  }
}
