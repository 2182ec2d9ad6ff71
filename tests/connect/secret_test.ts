import { assertEquals } from "@std/assert";
import { inspect } from "node:util";
import { Secret } from "../../src/connect/secret.ts";

Deno.test("Secret shows its text to reveal() only", () => {
  const secret = new Secret("hunter2");
  const holder = { secret, list: [secret], map: new Map([["a", secret]]) };
  assertEquals(secret.reveal(), "hunter2");
  assertEquals(`${secret}`, "[secret]");
  assertEquals(JSON.stringify({ secret }), '{"secret":"[secret]"}');
  assertEquals(Deno.inspect(secret), "[secret]");
  const shown = [
    JSON.stringify(holder),
    Deno.inspect(holder, { showHidden: true, depth: 9 }),
    inspect(holder, { showHidden: true }),
    Deno.inspect(structuredClone(secret)),
    Object.entries(secret).join(),
  ];
  for (const text of shown) assertEquals(text.includes("hunter2"), false, text);
});
