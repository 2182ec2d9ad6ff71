/** A number with its unit, as it is printed. */
export interface Figure {
  /** The number. */
  readonly value: number;
  /** What it counts. */
  readonly unit: "/s" | "ms" | "µs" | "loads" | "logins" | "x" | "entries";
}

/** One line of the table: Larder at some work, mostly against one peer at the same. */
export interface Row {
  /** What was done. */
  readonly work: string;
  /** What Larder did. */
  readonly ours: Figure;
  /** What it is compared with. */
  readonly peer?: { readonly name: string; readonly figure: Figure };
  /** How many times better Larder is: the median of the ratios of each round. */
  readonly ratio?: number;
  /** What it should be. */
  readonly goal?: Goal;
}

/** What a figure should be. */
export interface Goal {
  /** The figure that counts. */
  readonly of: "ratio" | "ours";
  /** The least it should be. */
  readonly least?: number;
  /** The most it should be. */
  readonly most?: number;
}

/** Whether the goal of a row is met; undefined when it has none. */
export function isMet({ ours, ratio, goal }: Row): boolean | undefined {
  if (!goal) return undefined;
  const figure = goal.of === "ours" ? ours.value : ratio ?? NaN;
  return figure >= (goal.least ?? -Infinity) && figure <= (goal.most ?? Infinity);
}

/** The middle of several numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
