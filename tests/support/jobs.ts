/**
 * What a process of a test is given to do, by lines of JSON at its standard input, until that ends.
 *
 * @module
 */

/** The jobs, one after the other. */
export async function* jobs<Job>(): AsyncGenerator<Job> {
  let rest = "";
  for await (const chunk of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
}

/** Answers the test. */
export function report(value: unknown): void {
  // deno-lint-ignore no-console -- it is how a process and its test talk
  console.log(JSON.stringify(value));
}
