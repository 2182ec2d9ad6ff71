/** Runs each case of a suite as a step, with data of its own. */
export async function runCases<Harness extends AsyncDisposable>(
  t: Deno.TestContext,
  cases: Readonly<Record<string, (harness: Harness) => Promise<void>>>,
  open: () => Harness,
): Promise<void> {
  for (const [name, run] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using harness = open();
      await run(harness);
    });
  }
}
