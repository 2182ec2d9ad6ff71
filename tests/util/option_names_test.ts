import { assertEquals, assertThrows } from "@std/assert";
import { assertOptions, optionNames } from "../../src/util/option_names.ts";

interface Options {
  ttl?: number;
  tags?: string[];
}

const NAMES = optionNames<Options>({ ttl: true, tags: true });

Deno.test("assertOptions() takes the options that there are", () => {
  const inherited: Options = Object.create({ ttlSeconds: 30 });
  for (const options of [{}, { ttl: 1 }, { ttl: undefined, tags: [] }, Object.create(null), inherited]) {
    assertOptions(options, NAMES, "write");
  }
});

Deno.test("assertOptions() refuses what is no option", () => {
  const cases: [unknown, string][] = [
    [{ ttlSeconds: 30 }, 'an option that there is, such as "ttl", got "ttlSeconds"'],
    [{ ttl: 1, tag: "a" }, 'an option that there is, such as "tags", got "tag"'],
    [{ ttlSeconds: undefined }, 'an option that there is, such as "ttl", got "ttlSeconds"'],
    [{ banana: 1 }, 'an option that there is (ttl, tags), got "banana"'],
    [{ constructor: 1 }, 'an option that there is (ttl, tags), got "constructor"'],
    [JSON.parse('{"__proto__":1}'), 'an option that there is (ttl, tags), got "__proto__"'],
    [{ "a\nb": 1 }, 'an option that there is (ttl, tags), got "a\\nb"'],
    [null, "an object with options, got null"],
    [undefined, "an object with options, got undefined"],
    [300, "an object with options, got 300"],
    ["5m", 'an object with options, got "5m"'],
    [[], "an object with options, got an array with 0 elements"],
    [() => {}, "an object with options, got a function"],
  ];
  for (const [options, wanted] of cases) {
    const error = assertThrows(() => assertOptions(options, NAMES, "write"), TypeError);
    assertEquals(error.message, `Cannot write: wanted ${wanted}`);
  }
});

Deno.test("optionNames() does not compile without all names, or with others", () => {
  // @ts-expect-error: tags is missing
  optionNames<Options>({ ttl: true });
  // @ts-expect-error: there is no such option
  optionNames<Options>({ ttl: true, tags: true, other: true });
});
