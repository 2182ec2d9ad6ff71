import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { JsonBatch } from "../../src/values/json_batch.ts";
import { FORMAT, read } from "../../src/values/serializer.ts";
import { EFFORT } from "../support/effort.ts";

const encoder = new TextEncoder();

/** A reply that has texts at some places. */
class Texts {
  readonly batch: JsonBatch;
  readonly places: number[];
  readonly bytes: Uint8Array;

  constructor(texts: readonly (string | Uint8Array)[]) {
    const parts = texts.map((text) => typeof text === "string" ? encoder.encode(text) : text);
    this.bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length + 3, 0)).fill(255);
    this.batch = new JsonBatch(this.bytes);
    let at = 0;
    this.places = parts.map((part) => {
      this.bytes.set(part, at += 3);
      return this.batch.add(at, at += part.length);
    });
  }

  take(i: number): unknown {
    return this.batch.take(this.places[i]!);
  }

  takeAll(): unknown[] {
    return this.places.map((place) => this.batch.take(place));
  }
}

function alone(text: string): unknown {
  try {
    return read(FORMAT.json, encoder.encode(text));
  } catch {
    return undefined;
  }
}

Deno.test("JsonBatch.take() gives what each text says by itself, in any order", () => {
  const json = fc.json({ stringUnit: "binary" }).filter((text) => !/\\|\ufffd|__proto__/.test(text));
  const texts = fc.array(json, { minLength: 2, maxLength: 100, size: "max" });
  fc.assert(
    fc.property(texts, fc.gen(), (texts, gen) => {
      const several = new Texts(texts);
      const order = gen(fc.shuffledSubarray, texts.map((_, i) => i), { minLength: texts.length });
      for (const i of order) assertEquals(several.take(i), alone(texts[i]!));
    }),
    { numRuns: 10 * EFFORT },
  );
});

Deno.test("JsonBatch.take() hands a value out once", () => {
  const several = new Texts(['{"a":1}', "[2]", "null", '"x"']);
  const [first, second] = [several.take(0), several.take(1)];
  assertEquals([first, second], [{ a: 1 }, [2]]);
  assertEquals([several.take(0), several.take(1)], [undefined, undefined]);
  assertEquals([several.take(2), several.take(3)], [null, "x"]);
  assertStrictEquals(several.batch.take(-1), undefined);
});

Deno.test("JsonBatch.take() leaves a text to be parsed by itself where there is only one", () => {
  assertEquals(new Texts(["1"]).takeAll(), [undefined]);
});

Deno.test("JsonBatch.add() leaves out what is too long to gain, and what has no room", () => {
  const long = JSON.stringify("x".repeat(3000));
  const several = new Texts(["1", long, "2", long]);
  assertEquals([several.places[1], several.places[3]], [-1, -1]);
  assertEquals(several.takeAll(), [1, undefined, 2, undefined]);
  const many = new Texts(Array.from({ length: 500 }, (_, i) => JSON.stringify(`${i}`.padEnd(1000))));
  const taken = many.takeAll();
  const count = taken.findIndex((value) => value === undefined);
  assert(count > 50 && count < 70, `${count} of 500`);
  assertEquals(taken, taken.map((_, i) => i < count ? `${i}`.padEnd(1000) : undefined));
  assertStrictEquals(many.batch.add(0, 1), -1, "what comes after the first value was wanted");
});

Deno.test("JsonBatch.take() gives nothing when one text is damaged, and the texts are left as they are", () => {
  for (const damaged of ["", "{", "nul", '"', "1,", "]", "[1", "\u0000", new Uint8Array([0x22, 0xff, 0x22])]) {
    const several = new Texts(['{"a":1}', damaged, "2"]);
    const before = several.bytes.slice();
    assertEquals(several.takeAll(), [undefined, undefined, undefined], Deno.inspect(damaged));
    assertEquals(several.bytes, before);
  }
});

Deno.test("JsonBatch.take() gives nothing for texts that are values only together", async (t) => {
  const cases: Record<string, string[]> = {
    "an array from one to another": ["[1", "2]", "3,4"],
    "an array around a whole value": ["[1", "0", "2]", "3,4,5"],
    "a string from one to another": ['"a', 'b"', "1,2"],
    "a string around a whole value": ['"a', '"b"', 'c"', "1,2,3"],
    "an object from one to another": ['{"a":[1', "2]}", "3,4"],
    "more values than texts": ["1,2", "3"],
    "fewer values than texts": ["1", " ", "3"],
    "an array of all": ["1],[2", "3"],
    "nothing but ends": ["1]", "[2"],
  };
  for (const [name, texts] of Object.entries(cases)) {
    await t.step(name, () => assertEquals(new Texts(texts).takeAll(), texts.map(() => undefined)));
  }
  await t.step("pieces of anything", () => {
    const piece = fc.array(fc.constantFrom("[", "]", "{", "}", '"', ",", ":", "1", " ", "\\", '"a"'), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(piece.map((parts) => parts.join("")), { minLength: 2, maxLength: 6 }), (texts) => {
        const values = new Texts(texts).takeAll();
        if (values.every((value) => value === undefined)) return;
        assertEquals(values, texts.map(alone));
      }),
      { numRuns: 2000 * EFFORT },
    );
  });
});

Deno.test("JsonBatch.take() gives nothing when a text forges a prototype or is no UTF-8", () => {
  const forgeries = ['{"__proto__":{"admin":true}}', '{"\\u005f_proto__":{"admin":true}}', '{"_\\u005fproto__":1}'];
  for (const forged of [...forgeries, new Uint8Array([0x22, 0xc3, 0x22])]) {
    assertEquals(new Texts(["1", forged, "{}"]).takeAll(), [undefined, undefined, undefined]);
  }
});

Deno.test("JsonBatch.take() gives each its own value, also when texts are the same", () => {
  const several = new Texts(['{"a":{}}', '{"a":{}}']);
  const [one, other] = several.takeAll() as [{ a: object }, { a: object }];
  assert(one !== other);
  assert(one.a !== other.a);
});
