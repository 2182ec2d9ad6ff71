// A test's clock must not hold up what waits for a turn.
import { clearTimeout, setTimeout } from "./real_timers.ts";

/** So long work goes on without a turn of the event loop before it asks for one, and so long before it waits for it. */
const PATIENCE = 4;

/** A turn that was asked for. */
interface Turn {
  readonly come: Promise<void>;
  readonly timer: ReturnType<typeof setTimeout>;
}

let running = 0;
let next: Turn | undefined;
/** When the last turn came. */
let last = 0;
/** Since when one is asked for, if that is later. */
let asked = 0;

/**
 * Work that goes on for long, though it waits for promises all the time: it leaves others their turn of the event loop.
 * All such work counts together and waits together, since there is one event loop. Whoever waits for files or sockets
 * gives others their turn anyway: that is seen, and costs no waiting.
 */
export class LongWork {
  /** Begins. */
  constructor() {
    running++;
  }

  /** Something to wait for, where others want their turn. */
  turn(): Promise<void> | undefined {
    const now = performance.now();
    if (!next) {
      if (now - last <= PATIENCE) return undefined;
      if (asked <= last) asked = now;
      next = askForTurn();
    }
    return now - asked > PATIENCE ? next.come : undefined;
  }

  /** Ends; called once. */
  end(): void {
    if (--running > 0 || !next) return;
    clearTimeout(next.timer); // nobody waits for it any more
    next = undefined;
  }
}

function askForTurn(): Turn {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    last = performance.now();
    next = undefined;
    resolve();
  }, 0);
  return { come: promise, timer };
}
