import type { MetricFamily } from "./metric_family.ts";

/** The two forms in which Prometheus takes metrics. */
export type MetricsFormat = "openmetrics" | "prometheus";

/** The media types of the forms. */
export const CONTENT_TYPES: Readonly<Record<MetricsFormat, string>> = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
};

/**
 * Writes metrics as text.
 *
 * Sources: https://prometheus.io/docs/specs/om/open_metrics_spec/ and
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function writeMetrics(families: readonly MetricFamily[], format: MetricsFormat): string {
  const lines: string[] = [];
  for (const { name, type, help, unit, samples } of families) {
    if (samples.length === 0) continue;
    // The older form names the samples of a counter, the newer one the counter.
    const named = type === "counter" && format === "prometheus" ? `${name}_total` : name;
    lines.push(`# TYPE ${named} ${type}`);
    if (unit !== undefined && format === "openmetrics") lines.push(`# UNIT ${named} ${unit}`);
    lines.push(`# HELP ${named} ${escapeHelp(help, format)}`);
    for (const { labels = {}, value, suffix = type === "counter" ? "_total" : "" } of samples) {
      lines.push(`${name}${suffix}${labelsText(labels)} ${numberText(value)}`);
    }
  }
  if (format === "openmetrics") lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escapeLabel(text: string): string {
  return text.replace(/[\\"\n]/g, (character) => character === "\n" ? "\\n" : `\\${character}`);
}

function escapeHelp(text: string, format: MetricsFormat): string {
  const escaped = text.replace(/[\\\n]/g, (character) => character === "\n" ? "\\n" : "\\\\");
  return format === "openmetrics" ? escaped.replaceAll('"', '\\"') : escaped;
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  return String(value);
}
