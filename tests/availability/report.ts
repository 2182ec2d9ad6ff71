import { type Bin, PROMISES, type Told } from "./setup.ts";

/** What happened to the servers. */
export interface Event {
  readonly name: string;
  /** When it began and ended, in milliseconds since 1970. */
  readonly from: number;
  to: number;
  /** The buckets that it is about; others are healthy. */
  readonly hit: ReadonlySet<number>;
  /** When the cluster itself was well again. */
  recovered: number;
}

/** What the callers saw of it. */
export interface Line {
  readonly name: string;
  readonly calls: number;
  /** The worst share of calls on healthy buckets that failed in any second. */
  readonly healthy: number;
  /** The share of calls on the others that failed, over all. */
  readonly hit: number;
  /** Seconds that the cluster itself took. */
  readonly cluster: number;
  /** Seconds after that until the last call failed. */
  readonly behind: number;
}

/** Puts an event and the bins of all workers together. */
export function lineOf(event: Event, bins: readonly Bin[]): Line {
  const { name, from, to, hit, recovered } = event;
  const seconds = new Map<number, [number, number]>();
  const [all, there]: [[number, number], [number, number]] = [[0, 0], [0, 0]];
  let last = from;
  for (const { at, calls } of bins) {
    if (at < from || at > to) continue;
    for (const [bucket, [count, failed]] of Object.entries(calls)) {
      all[0] += count;
      all[1] += failed;
      if (hit.has(Number(bucket))) {
        if (failed > 0) last = Math.max(last, at + 100);
        there[0] += count;
        there[1] += failed;
        continue;
      }
      const second = Math.floor((at - from) / 1000);
      const sum = seconds.get(second) ?? [0, 0];
      seconds.set(second, [sum[0] + count, sum[1] + failed]);
    }
  }
  const shares = [...seconds.values()].map(([count, failed]) => failed / count);
  return {
    name,
    calls: all[0],
    healthy: Math.max(0, ...shares),
    hit: there[0] === 0 ? 0 : there[1] / there[0],
    cluster: (recovered - from) / 1000,
    behind: Math.max(0, (last - recovered) / 1000),
  };
}

/** Adds up what several processes told. */
export function summed(told: readonly Told[]): Told {
  const sum = (of: keyof Told) => {
    const all: Record<string, number> = {};
    for (const one of told) for (const [what, count] of Object.entries(one[of])) all[what] = (all[what] ?? 0) + count;
    return all;
  };
  return { looked: sum("looked"), broken: sum("broken"), others: sum("others"), refusals: sum("refusals") };
}

/** What happened, and what callers saw of it. */
export function tableOf(lines: readonly Line[]): string {
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
  return markdown(
    [
      "what happened",
      "calls",
      "failed on healthy slots, worst second",
      "failed on the others",
      "cluster back",
      "behind",
    ],
    lines.map(({ name, calls, healthy, hit, cluster, behind }) => [
      name,
      String(calls),
      percent(healthy),
      percent(hit),
      `${cluster.toFixed(1)} s`,
      `${behind.toFixed(1)} s`,
    ]),
  );
}

/** What was promised, and how often it was broken. */
export function promisesOf({ looked, broken }: Told): string {
  return markdown(
    ["service", "what is promised", "looked at", "broken"],
    Object.entries(PROMISES).map(([service, { promise, unit }]) => [
      ...[service, promise],
      `${(looked[service] ?? 0).toLocaleString("en")} ${unit}`,
      String(broken[service] ?? 0),
    ]),
  );
}

function markdown(head: readonly string[], body: readonly (readonly string[])[]): string {
  const rows = [head, head.map(() => "---"), ...body];
  const widths = head.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i]!, row[0] === "---" ? "-" : " ")).join(" | ")} |`
  ).join("\n");
}
