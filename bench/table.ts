import { type Figure, type Goal, isMet, type Row } from "./row.ts";

const HEADS = ["work", "ours", "peer", "peer's", "ratio", "goal", "met"];

/** The rows as a Markdown table whose columns line up. */
export function table(rows: readonly Row[]): string {
  const lines = [HEADS, ...rows.map(cells)];
  const widths = HEADS.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const text = lines.map((line) => `| ${line.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`);
  text.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  return text.join("\n");
}

function cells(row: Row): string[] {
  const { work, ours, peer, ratio, goal } = row;
  const met = isMet(row);
  return [
    work,
    figureText(ours),
    peer?.name ?? "",
    peer ? figureText(peer.figure) : "",
    ratio === undefined ? "" : `${number(ratio)}x`,
    goal ? goalText(goal, ours.unit) : "",
    met === undefined ? "" : met ? "yes" : "NO",
  ];
}

function goalText({ of, least, most }: Goal, unit: Figure["unit"]): string {
  const text = (value: number) => of === "ratio" ? `${value}x` : figureText({ value, unit });
  return least !== undefined ? `>= ${text(least)}` : `<= ${text(most!)}`;
}

function figureText({ value, unit }: Figure): string {
  return `${number(value)}${unit === "/s" || unit === "x" ? "" : " "}${unit}`;
}

/** Three digits that count. */
function number(value: number): string {
  if (value >= 999_500) return `${(value / 1e6).toFixed(2)}M`;
  if (value >= 9_995) return `${(value / 1000).toFixed(value >= 99_950 ? 0 : 1)}k`;
  if (Number.isInteger(value) || value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}
