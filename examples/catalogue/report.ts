// deno-lint-ignore-file no-console -- printing is what it is for
import type { Row } from "./latencies.ts";

const coloured = Deno.stdout.isTerminal() && !Deno.noColor;
const paint = (code: number) => (text: string): string => coloured ? `\x1b[${code}m${text}\x1b[0m` : text;
const bold = paint(1);
const dim = paint(2);
const red = paint(31);
const green = paint(32);

/** Prints what happens, and keeps count of what was claimed and what did not hold. */
export class Report {
  /** How many claims were checked. */
  claims = 0;
  /** The claims that did not hold. */
  readonly broken: string[] = [];
  readonly #print: (line: string) => void;
  #steps = 0;

  constructor(print: (line: string) => void = console.log) {
    this.#print = print;
  }

  title(title: string, detail: string): void {
    this.#print(`\n${bold(title)} ${dim(`· ${detail}`)}`);
  }

  step(title: string): void {
    this.#print(`\n${bold(`${++this.#steps}. ${title}`)}`);
  }

  /** Something that is claimed, and whether it held. */
  claim(text: string, held: boolean): void {
    this.claims++;
    if (!held) this.broken.push(text);
    this.#print(`   ${held ? green("✓") : red("✗")} ${held ? text : red(text)}`);
  }

  /** Something worth knowing. */
  note(text: string): void {
    this.#print(dim(`     ${text}`));
  }

  table(rows: readonly Row[]): void {
    const cells = rows.map(({ kind, calls, p50, p99, origin }) => [
      kind,
      count(calls),
      duration(p50),
      duration(p99),
      count(origin),
    ]);
    const head = ["", "calls", "p50", "p99", "origin asked"];
    const widths = head.map((title, column) => Math.max(title.length, ...cells.map((cell) => cell[column]!.length)));
    const line = (cell: readonly string[]) =>
      "   " + cell.map((text, i) => i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]! + 3)).join("");
    this.#print(`\n${dim(line(head))}`);
    for (const cell of cells) this.#print(line(cell));
  }

  /** A few figures in the end. */
  summary(lines: readonly string[]): void {
    this.#print("");
    for (const line of lines) this.#print(`   ${line}`);
  }

  /** Says why it went no further. */
  failure(error: unknown): void {
    this.#print(`\n${red(error instanceof Error ? `${error.name}: ${error.message}` : String(error))}`);
  }

  /** The last word: whether all claims held. */
  verdict(detail: string): boolean {
    const held = this.broken.length === 0;
    if (held) this.#print(`\n${green(`All ${this.claims} claims held`)} ${dim(`· ${detail}`)}\n`);
    else this.#print(`\n${red(`${this.broken.length} of ${this.claims} claims did not hold:`)}`);
    for (const text of this.broken) this.#print(red(`   ✗ ${text}`));
    return held;
  }
}

/** A number as in 1,000. */
export function count(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: 0 });
}

/** Milliseconds in the unit that suits them. */
export function duration(milliseconds: number): string {
  const micro = milliseconds * 1000;
  if (micro < 10) return `${micro.toFixed(1)} µs`;
  return micro < 1000 ? `${micro.toFixed(0)} µs` : `${milliseconds.toFixed(1)} ms`;
}
