/**
 * How much longer the property tests run than they do by default: 1, or what `LARDER_TEST_EFFORT` says. With 20, each limit sees
 * more than a million calls.
 */
export const EFFORT: number = Number(Deno.env.get("LARDER_TEST_EFFORT") ?? 1);

/** Numbers that look random and are the same in every run (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
