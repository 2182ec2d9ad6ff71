import fc from "fast-check";
import type { Life, Load } from "./model.ts";

/** Keys, some of which patterns and scripts could mistake for something else. */
export const KEYS = ["a", "a:1", "a:2", "b:1", "b:ü*", "[b]"] as const;
/** Globs, and what they stand for. */
export const PATTERNS: Readonly<Record<string, (key: string) => boolean>> = {
  "*": () => true,
  "a*": (key) => key.startsWith("a"),
  "a:?": (key) => key === "a:1" || key === "a:2",
  "[ab]:1": (key) => key === "a:1" || key === "b:1",
  "\\[b\\]": (key) => key === "[b]",
  "b:???": (key) => key === "b:ü*",
  "[^a]*": (key) => !key.startsWith("a"),
  "c": () => false,
};
const TAGS = ["t", "u", "h:t", "ü"];
/** Seconds. Times and steps are whole minutes, so that what really passes meanwhile never decides. */
const STEPS = [60, 120, 180, 600];

/** What a loader does, for one call or several. */
export interface LoadChoice {
  readonly ends: Load["ends"];
  readonly kind: number;
  readonly life: Life;
  readonly tags: readonly string[];
  readonly setTtl: number | undefined;
  readonly setTags: readonly string[] | undefined;
  readonly dynamic: boolean;
  readonly refreshAhead: number;
  readonly lock: boolean;
  readonly impatient: boolean;
  readonly blocked: boolean;
}

/** One thing that is done, by a process, in one of two namespaces. */
export type Operation =
  & { readonly by: number; readonly beside: boolean }
  & (
    | { readonly do: "set"; readonly key: string; readonly kind: number; readonly life: Life; readonly tags: string[] }
    | {
      readonly do: "setMany";
      readonly keys: string[];
      readonly kind: number;
      readonly life: Life;
      readonly tags: string[];
    }
    | { readonly do: "get" | "lookup" | "has" | "ttl" | "delete" | "invalidate"; readonly key: string }
    | { readonly do: "getMany" | "invalidateMany"; readonly keys: string[] }
    | { readonly do: "touch"; readonly key: string; readonly ttl: number }
    | { readonly do: "tags"; readonly tags: string[]; readonly mode: "hard" | "stale" }
    | { readonly do: "pattern" | "inspect"; readonly pattern: string }
    | { readonly do: "clear" | "restart" | "kill" }
    | { readonly do: "getOrSet"; readonly key: string; readonly load: LoadChoice }
    | { readonly do: "getOrSetMany"; readonly keys: string[]; readonly absent: string[]; readonly load: LoadChoice }
    | { readonly do: "land"; readonly nth: number }
    | { readonly do: "advance"; readonly seconds: number }
    | { readonly do: "lose"; readonly what: "ledger" | "scripts" }
    | { readonly do: "half"; readonly pattern: string }
  );

const by = fc.nat(1);
const beside = fc.constantFrom(...Array(7).fill(false), true);
/** Most of what matters takes several steps on one key. */
const key = fc.oneof({ weight: 5, arbitrary: fc.constant<string>(KEYS[0]) }, {
  weight: 4,
  arbitrary: fc.constantFrom<string>(...KEYS),
});
const keys = fc.uniqueArray(key, { maxLength: 4 });
const tag = fc.oneof({ weight: 2, arbitrary: fc.constant(TAGS[0]!) }, {
  weight: 1,
  arbitrary: fc.constantFrom(...TAGS),
});
const tags = fc.uniqueArray(tag, { maxLength: 2 });
const kind = fc.nat(7);
const ttl = fc.constantFrom(60, 120, 180, 600, 0);
const life = fc.record({
  ttl,
  staleWhileRevalidate: fc.constantFrom(0, 0, 120),
  staleIfError: fc.constantFrom(0, 0, 600),
});
const seldom = (arity: number) => fc.nat(arity - 1).map((n) => n === 0);
const optionally = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined, freq: 3 });
const load: fc.Arbitrary<LoadChoice> = fc.record({
  ends: fc.constantFrom("value", "value", "value", "throw", "skip", "notModified", "notModified", "absent", "unstored"),
  kind,
  life,
  tags,
  setTtl: optionally(ttl),
  setTags: optionally(tags),
  dynamic: fc.boolean(),
  refreshAhead: fc.constantFrom(0, 0, 0, 120),
  lock: seldom(5).map((n) => !n),
  impatient: seldom(5),
  blocked: fc.boolean(),
});

const common = { by, beside };
const one = <D extends string>(name: D) => fc.record({ ...common, do: fc.constant(name), key });
const several = <D extends string>(name: D) => fc.record({ ...common, do: fc.constant(name), keys });
const lands = fc.record({ ...common, do: fc.constant("land" as const), nth: fc.nat(5) });
const writes = fc.record({ ...common, do: fc.constant("set" as const), key, kind, life, tags });
const loads = fc.record({ ...common, do: fc.constant("getOrSet" as const), key, load });

/**
 * What is done to caches of which copies in the process are kept: other processes, and time, would have to be waited
 * for.
 */
const timeless: fc.WeightedArbitrary<Operation>[] = [
  { weight: 8, arbitrary: writes },
  { weight: 12, arbitrary: loads },
  { weight: 6, arbitrary: lands },
  { weight: 2, arbitrary: fc.record({ ...common, do: fc.constant("setMany" as const), keys, kind, life, tags }) },
  { weight: 4, arbitrary: fc.record({ ...common, do: fc.constant("touch" as const), key, ttl }) },
  { weight: 6, arbitrary: one("get") },
  { weight: 1, arbitrary: fc.oneof(one("lookup"), one("has"), one("ttl")) },
  { weight: 2, arbitrary: fc.oneof(one("delete"), one("invalidate")) },
  { weight: 2, arbitrary: fc.oneof(several("getMany"), several("invalidateMany")) },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ ...common, do: fc.constant("tags" as const) },
      tags,
      mode: fc.constantFrom("hard", "stale"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...{ ...common, do: fc.constantFrom("pattern" as const, "inspect" as const) },
      pattern: fc.constantFrom(...Object.keys(PATTERNS)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...common, do: fc.constant("clear" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ ...common, do: fc.constant("getOrSetMany" as const), keys, absent: keys, load }),
  },
];

const timed: fc.WeightedArbitrary<Operation>[] = [
  ...timeless,
  {
    weight: 10,
    arbitrary: fc.record({ ...common, do: fc.constant("advance" as const), seconds: fc.constantFrom(...STEPS) }),
  },
  { weight: 1, arbitrary: fc.record({ ...common, do: fc.constant("restart" as const) }) },
  { weight: 2, arbitrary: fc.record({ ...common, do: fc.constant("kill" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ ...common, do: fc.constant("lose" as const), what: fc.constantFrom("ledger", "scripts") }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...common,
      do: fc.constant("half" as const),
      pattern: fc.constantFrom(...Object.keys(PATTERNS)),
    }),
  },
];

const sequence = (of: fc.WeightedArbitrary<Operation>[]) =>
  fc.array(fc.oneof(...of) as fc.Arbitrary<Operation>, { minLength: 1, maxLength: 60, size: "max" });

/** Sequences for two processes, in which time passes and records are lost. */
export const timedSequence: fc.Arbitrary<Operation[]> = sequence(timed);
/** Sequences for one process that keeps copies. */
export const timelessSequence: fc.Arbitrary<Operation[]> = sequence(timeless);

/** The same, with shorter lives and none that never ends, so that the records of invalidations are pruned. */
export function mortal(operation: Operation): Operation {
  const shorter = (ttl: number) => ttl === 0 || ttl > 180 ? 60 : ttl;
  const live = (life: Life) => ({
    ...life,
    ttl: shorter(life.ttl),
    staleIfError: shorter(life.staleIfError + 60) - 60,
  });
  switch (operation.do) {
    case "set":
    case "setMany":
      return { ...operation, life: live(operation.life) };
    case "touch":
      return { ...operation, ttl: shorter(operation.ttl) };
    case "getOrSet":
    case "getOrSetMany": {
      const { load } = operation;
      const setTtl = load.setTtl === undefined ? undefined : shorter(load.setTtl);
      return { ...operation, load: { ...load, life: live(load.life), setTtl } };
    }
    default:
      return operation;
  }
}

/** A value that nothing else in a sequence is equal to, but for `null` and `undefined`. */
export function valueOf(kind: number, n: number): unknown {
  const kinds = [n, `value ${n}`, { n, list: [n] }, new Map([["n", n]]), new Date(n), [n, undefined], null, undefined];
  return kinds[kind];
}
