import { turn } from "../util/turn.ts";

/** So long images are read without a turn of the event loop, in milliseconds. */
const BREATH = 8;

let since = 0;
let pending: Promise<void> | undefined;

/**
 * Something to wait for, where images have been read for so long that others want their turn. All that are read at a
 * time count together, and wait together, since they share one event loop.
 */
export function breath(): Promise<void> | undefined {
  if (pending || performance.now() - since <= BREATH) return pending;
  pending = turn().then(() => {
    since = performance.now();
    pending = undefined;
  });
  return pending;
}
