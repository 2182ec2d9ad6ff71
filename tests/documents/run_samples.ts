/**
 * Runs samples of documents one after the other, and says of each how it ended: `deno run run_samples.ts FILE …`.
 *
 * @module
 */
// deno-lint-ignore-file no-console
/** Milliseconds for one of them. */
const PATIENCE = 30_000;

for (const file of Deno.args) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Did not end within ${PATIENCE} ms`)), PATIENCE);
  });
  const ended = await Promise.race([import(file), late]).then(() => "ran", (error) => `failed: ${error.stack}`);
  clearTimeout(timer);
  console.log(`${file} ${ended}`);
}
Deno.exit(0); // whatever clients the samples leave open
