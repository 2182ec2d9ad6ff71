import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const collect = (() => {
  try {
    setFlagsFromString("--expose-gc");
    return runInNewContext("gc") as () => void;
  } catch {
    return () => {}; // Deno 2.1 cannot be told
  }
})();

/** Collects garbage now, so that nobody pays for what the one before left behind. */
export function collectGarbage(): void {
  collect();
}
