import { type OptionNames, optionNames } from "../util/option_names.ts";

/** How a memory store of sessions works. */
export interface MemorySessionStoreOptions {
  /** Most sessions; the one that was not used for the longest time goes. @default {100_000} */
  maxSessions?: number;
  /**
   * Milliseconds between two changes of a session's last use. @default {a 24th of its time to live, at most 5 minutes}
   */
  touchEvery?: number | undefined;
  /** The time in milliseconds. @default {Date.now} */
  now?: () => number;
  /** Called before the first session is stored. */
  onFirst?: (() => void) | undefined;
}

export const MEMORY_STORE: OptionNames = optionNames<MemorySessionStoreOptions>({
  maxSessions: true,
  touchEvery: true,
  now: true,
  onFirst: true,
});
