/** One sample: labels and a value. `suffix` is what OpenMetrics appends to the name, as in `_bucket`. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
  readonly suffix?: string;
}

/** Samples of one kind. */
export interface MetricFamily {
  /** Its name with its unit, without `_total`. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** What it is, in a sentence without a full stop. */
  readonly help: string;
  /** The unit with which the name ends, if there is one. */
  readonly unit?: string;
  readonly samples: readonly Sample[];
}

/** What only grows, as one figure. */
export function counter(name: string, help: string, value: number): MetricFamily {
  return { name, type: "counter", help, samples: [{ value }] };
}

/** What is so now, as one figure. */
export function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, type: "gauge", help, samples: [{ value }] };
}

/** What only grows, by kind. */
export function labelled(
  name: string,
  help: string,
  label: string,
  values: Readonly<Record<string, number>>,
): MetricFamily {
  const samples = Object.entries(values).map(([key, value]): Sample => ({ labels: { [label]: key }, value }));
  return { name, type: "counter", help, samples };
}
