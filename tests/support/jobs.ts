/**
 * What a process of a test is given to do, by lines of JSON at its standard input, until that ends.
 *
 * @module
 */

/** The jobs, one after the other. */
export async function* jobs<Job>(): AsyncGenerator<Job> {
  for await (const line of linesOf(Deno.stdin.readable)) yield JSON.parse(line);
}

/** The lines of a stream; what follows the last end of a line is none. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** Answers the test. */
export function report(value: unknown): void {
  // deno-lint-ignore no-console -- it is how a process and its test talk
  console.log(JSON.stringify(value));
}
