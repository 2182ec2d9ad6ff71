import { assertEquals } from "@std/assert";

const read = (path: string) => Deno.readTextFile(new URL(path, import.meta.url));

Deno.test("docs/moving.md has a line for each of the 44 samples, and names each test", async () => {
  const text = await read("../../docs/moving.md");
  const rows = text.split("\n").filter((line) => /^\| (?:\d+ +\| )?00\d /.test(line)).map((line) =>
    line.split("|").slice(1, -1).map((cell) => cell.trim())
  );
  const samples = rows.filter(({ length }) => length === 5);
  assertEquals(samples.map(([number]) => number), Array.from({ length: 44 }, (_, i) => String(i + 1)));
  const told = rows.flatMap((row) =>
    row.at(-1)!.split("<br>").map((name) => `${row.at(row.length === 5 ? 1 : 0)} ${name}`)
  );
  const tests: string[] = [];
  for (const number of ["000", "001", "002", "003", "004"]) {
    const names = (await read(`./${number}_test.ts`)).matchAll(/^ {2}"([^"]+)": /gm);
    tests.push(...[...names].map(([, name]) => `${number} ${name}`));
  }
  assertEquals([...new Set(told)].sort(), tests.sort());
});
