import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { MessageCodec } from "../../src/values/message_codec.ts";
import { richSerializer } from "../../src/values/serializer.ts";

const codec = new MessageCodec(richSerializer, "test");
const headers = { traceparent: `00-${"a1".repeat(16)}-${"b2".repeat(8)}-01`, tracestate: "vendor=x" };
const encode = (given?: unknown) => codec.encode({ id: 7 }, "test", 1000, given as typeof headers | undefined);

Deno.test("MessageCodec.decode() reads messages with headers, and those of before that had none", async () => {
  assertEquals(await codec.decode(encode(), undefined), { value: { id: 7 } });
  assertEquals(encode()[0], 1); // as it always was
  assertEquals(await codec.decode(encode(headers), undefined), { value: { id: 7 }, headers });
  const { traceparent } = headers;
  assertEquals(await codec.decode(encode({ traceparent }), undefined), { value: { id: 7 }, headers: { traceparent } });
});

Deno.test("MessageCodec.decode() takes no header that is none, and no message that ends within them", async () => {
  for (
    const bad of [
      {},
      [],
      "x",
      null,
      { traceparent: 7 },
      { traceparent: "00-x-y-01" },
      { traceparent: `${headers.traceparent}\r\nx: y` },
      { constructor: 1, __proto__: null },
    ]
  ) {
    const message = bad === null ? encode({}) : encode(bad);
    assertEquals(await codec.decode(message, undefined), { value: { id: 7 } }, JSON.stringify(bad));
  }
  const long = { ...headers, tracestate: "x".repeat(513) };
  assertEquals(await codec.decode(encode(long), undefined), {
    value: { id: 7 },
    headers: { traceparent: headers.traceparent },
  });
  const whole = encode(headers);
  for (let end = 0; end < whole.length - 1; end++) {
    const read = await codec.decode(whole.subarray(0, end), undefined);
    assertStringIncludes(JSON.stringify(read), "It cannot be read", `${end} bytes`);
  }
  const garbled = encode(headers).fill(0xff, 4, 20);
  assertEquals(await codec.decode(garbled, undefined), { value: { id: 7 } });
});

Deno.test("MessageCodec.encode() says of the message, and not of a cache, what cannot be written", () => {
  const error = assertThrows(() => codec.encode({ a: () => 1 }, 'publish on "orders"', 1000), TypeError);
  assertEquals(error.message, 'Cannot publish on "orders": wanted plain data, got a function at .a');
});
