import { assert, assertEquals } from "@std/assert";
import { LongWork } from "../../src/util/long_work.ts";

function keepBusy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** How many pieces of 1 ms are done before a timer of 0 ms has its turn. */
async function piecesBeforeTurn(piece: () => Promise<void>): Promise<number> {
  let turned = false;
  const timer = setTimeout(() => turned = true, 0);
  let pieces = 0;
  for (; !turned && pieces < 500; pieces++) await piece();
  clearTimeout(timer);
  return pieces;
}

Deno.test("LongWork.turn() lets others have their turn in work that only waits for promises", async () => {
  const work = new LongWork();
  const pieces = await piecesBeforeTurn(async () => {
    keepBusy(1);
    await work.turn();
  });
  work.end();
  assert(pieces < 100, `${pieces} pieces`);
});

Deno.test("LongWork.turn() counts what follows each other", async () => {
  const pieces = await piecesBeforeTurn(async () => {
    const work = new LongWork();
    keepBusy(1);
    await work.turn();
    work.end();
  });
  assert(pieces < 100, `${pieces} pieces`);
});

Deno.test("LongWork.turn() asks nobody to wait where the event loop turns anyway", async () => {
  const work = new LongWork();
  let waits = 0;
  for (let i = 0; i < 20; i++) {
    if (work.turn()) waits++;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  work.end();
  assert(waits <= 10, `${waits} waits`); // a busy machine may have some
});

Deno.test("LongWork.end() leaves no timer", () => {
  const [one, other] = [new LongWork(), new LongWork()];
  one.turn();
  other.turn();
  one.end();
  other.end();
  assertEquals(new LongWork().end(), undefined);
});
