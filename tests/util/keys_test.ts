import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  assertKey,
  assertNamespace,
  assertTag,
  assertTags,
  isNamespace,
  MAX_KEY_BYTES,
  MAX_TAGS,
  NAMESPACE_WANTED,
} from "../../src/util/keys.ts";
import { EFFORT } from "../support/effort.ts";

const encoder = new TextEncoder();

/** The first of a kind of error, or undefined when the key is right. */
function refusal(key: unknown, maxBytes?: number): Error | undefined {
  try {
    assertKey(key, maxBytes);
  } catch (error) {
    return error as Error;
  }
}

Deno.test("assertKey() accepts text of any script", () => {
  const keys = [
    "a",
    "user:1",
    " ",
    "a b",
    "{x}:*?[y]\\",
    "~",
    "é",
    "ключ",
    "鍵",
    "😀",
    "\u00a0",
    "\ufeff",
    "__proto__",
    "x".repeat(512),
  ];
  for (const key of keys) assertEquals(refusal(key), undefined, key);
});

Deno.test("assertKey() refuses what is no string with a TypeError", () => {
  for (const key of [undefined, null, 1, 1n, true, {}, ["a"], Symbol("a"), new String("a"), new Uint8Array(1)]) {
    const error = assertThrows(() => assertKey(key, 512, "read from the cache"), TypeError);
    assertStringIncludes(error.message, "Cannot read from the cache: wanted a string as the key, got ");
  }
});

Deno.test("assertKey() refuses an empty or over-long key with a RangeError", async (t) => {
  await t.step("empty", () => {
    const error = assertThrows(() => assertKey("", 512, "read"), RangeError);
    assertEquals(error.message, "Cannot read: wanted a key of 1 to 512 bytes, got an empty string");
  });
  await t.step("ASCII", () => {
    const error = assertThrows(() => assertKey("x".repeat(513), undefined, "read"), RangeError);
    assertEquals(
      error.message,
      `Cannot read: wanted a key of 1 to 512 bytes, got "${"x".repeat(64)}"… (513 characters) with 513 or more bytes`,
    );
  });
  await t.step("counts bytes, not characters", () => {
    for (const [char, bytes] of [["é", 2], ["鍵", 3], ["😀", 4]] as const) {
      const most = Math.floor(MAX_KEY_BYTES / bytes);
      assertEquals(refusal(char.repeat(most)), undefined);
      const error = refusal(char.repeat(most + 1));
      assertEquals(error instanceof RangeError, true);
      assertStringIncludes(error!.message, `with ${(most + 1) * bytes} bytes`);
    }
  });
  await t.step("own limit", () => {
    assertEquals(refusal("abc", 3), undefined);
    assertEquals(refusal("abcd", 3) instanceof RangeError, true);
    assertEquals(refusal("éé", 3) instanceof RangeError, true);
    assertEquals(refusal("x".repeat(2000), 2000), undefined);
  });
});

Deno.test("assertKey() refuses every control character and shows which", () => {
  const controls = [...Array(0x20).keys(), ...Array.from({ length: 0x21 }, (_, i) => 0x7f + i)];
  assertEquals(controls.length, 65);
  for (const code of controls) {
    for (const key of [String.fromCharCode(code), `a${String.fromCharCode(code)}b`, `é${String.fromCharCode(code)}`]) {
      const error = refusal(key);
      assertEquals(error instanceof TypeError, true, `U+${code.toString(16)}`);
      assertStringIncludes(error!.message, "without control characters");
    }
  }
  assertEquals(
    refusal("user\r\nSET")?.message,
    'Cannot use the key: wanted a key without control characters, got "user\\r\\nSET" with U+000D at 4',
  );
});

Deno.test("assertKey() refuses halves of surrogate pairs, which would all become one key", () => {
  for (const key of ["\ud800", "a\udc00", "\udc00\ud800", "😀\ud83d"]) {
    assertStringIncludes(refusal(key)?.message ?? "", "half a surrogate pair");
  }
});

Deno.test("assertKey() accepts exactly the keys that come back from UTF-8 the same and fit", () => {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const unit = fc.oneof(
    fc.integer({ min: 0x20, max: 0x7e }),
    fc.integer({ min: 0, max: 0xffff }),
    fc.integer({ min: 0xd7ff, max: 0xe000 }),
  );
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 24 }),
    fc.array(unit, { maxLength: 24 }).map((units) => String.fromCharCode(...units)),
  );
  fc.assert(
    fc.property(text, (key) => {
      const bytes = encoder.encode(key);
      const control = [...key].some((char) => char < " " || (char >= "\x7f" && char <= "\x9f"));
      const good = bytes.length >= 1 && bytes.length <= 32 && decoder.decode(bytes) === key && !control;
      assertEquals(refusal(key, 32) === undefined, good);
    }),
    { numRuns: 300 * EFFORT },
  );
});

Deno.test("assertTag() follows the rules of keys", () => {
  assertTag("users");
  assertTag("é".repeat(256));
  assertEquals(
    assertThrows(() => assertTag(5, "invalidate by tag"), TypeError).message,
    "Cannot invalidate by tag: wanted a string as the tag, got 5",
  );
  assertThrows(() => assertTag(""), RangeError, "wanted a tag of 1 to 512 bytes, got an empty string");
  assertThrows(() => assertTag("x".repeat(513)), RangeError);
  assertThrows(() => assertTag("a\nb"), TypeError);
});

Deno.test("assertTags() returns a copy without repetitions", () => {
  assertEquals(assertTags(undefined), []);
  assertEquals(assertTags([]), []);
  const tags = ["b", "a", "b"];
  const result = assertTags(tags);
  tags.push("\n");
  assertEquals(result, ["b", "a"]);
});

Deno.test("assertTags() accepts 64 different tags and no more", () => {
  const tags = Array.from({ length: MAX_TAGS }, (_, i) => `t${i}`);
  assertEquals(assertTags(tags), tags);
  assertEquals(assertTags([...tags, "t0"]).length, 64);
  const error = assertThrows(() => assertTags([...tags, "one more"], "store"), RangeError);
  assertEquals(error.message, "Cannot store: wanted at most 64 different tags, got 65 tags");
});

Deno.test("assertTags() refuses other shapes", () => {
  for (const tags of [null, "users", 5, { 0: "a", length: 1 }, new Set(["a"])]) {
    assertThrows(
      () => assertTags(tags, "store"),
      TypeError,
      "Cannot store: wanted an array of strings as the tags, got ",
    );
  }
  for (const tags of [[1], ["a", null], [undefined], ["a", ["b"]], ["a", , "b"], ["a\u0000"]]) {
    assertThrows(() => assertTags(tags), TypeError);
  }
  assertThrows(() => assertTags(["a", ""]), RangeError);
});

Deno.test("assertNamespace() keeps one namespace out of another", () => {
  for (const name of ["larder", "a", "my-app.prod_2", "x".repeat(64)]) {
    assertNamespace(name);
    assertEquals(isNamespace(name), true);
  }
  for (
    const name of ["", "a:b", "{a}", "a*", "a?", "[a]", "a b", "é", "a\n", "x".repeat(65), 5, null, undefined, ["a"]]
  ) {
    assertEquals(isNamespace(name), false);
    const error = assertThrows(() => assertNamespace(name, "connect"), TypeError);
    assertStringIncludes(error.message, `Cannot connect: wanted ${NAMESPACE_WANTED} as the namespace, got `);
  }
});

Deno.test("assertKey() says what was wanted with the right article", () => {
  const wantedFor = (kind: string) => assertThrows(() => assertKey("", 512, "check", kind), RangeError).message;
  assert(wantedFor("id").includes("wanted an id of 1"), wantedFor("id"));
  assert(wantedFor("key").includes("wanted a key of 1"), wantedFor("key"));
  assert(wantedFor("user id").includes("wanted a user id of 1"), wantedFor("user id"));
});
