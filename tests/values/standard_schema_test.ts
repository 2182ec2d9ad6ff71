import { assert, assertEquals } from "@std/assert";
import { z } from "zod";
import {
  isStandardSchema,
  type SchemaOutput,
  type SchemaResult,
  type StandardSchema,
  validate,
} from "../../src/values/standard_schema.ts";

function schema<Output>(check: (value: unknown) => unknown): StandardSchema<unknown, Output> {
  const answer = check as StandardSchema<unknown, Output>["~standard"]["validate"];
  return { "~standard": { version: 1, vendor: "test", validate: answer } };
}

Deno.test("validate() gives the value of a synchronous schema at once", () => {
  assertEquals(validate(schema<number>((value) => ({ value: Number(value) })), "7"), { value: 7 });
  assertEquals(validate(schema((value) => ({ value, issues: undefined })), undefined), { value: undefined });
  const issues = [{ message: "Too short", path: ["name", { key: 0 }] }];
  assertEquals(validate(schema(() => ({ issues })), "x"), { issues });
});

Deno.test("validate() waits for an asynchronous schema", async () => {
  const later = validate(schema<string>((value) => Promise.resolve({ value: `${value}!` })), "a");
  assert(later instanceof Promise);
  assertEquals(await later, { value: "a!" });
  const thenable = schema((value) => ({ then: (done: (result: unknown) => void) => done({ value }) }));
  assertEquals(await validate(thenable, 1), { value: 1 });
});

Deno.test("validate() takes a failing validator for an issue", async () => {
  const fail = (error: unknown) => () => {
    throw error;
  };
  const issue = (message: string) => ({ issues: [{ message: `The validator failed: ${message}` }] });
  assertEquals(validate(schema(fail(new Error("no"))), 1), issue("no"));
  assertEquals(validate(schema(fail("text")), 1), issue("it threw a value that is not an error"));
  assertEquals(await validate(schema(() => Promise.reject(new Error("later"))), 1), issue("later"));
  const getter = {
    get value() {
      return fail(new Error("get"))();
    },
  };
  assertEquals(validate(schema(() => getter), 1), issue("get"));
  assertEquals(await validate(schema(() => Promise.resolve(getter)), 1), issue("get"));
  assertEquals(
    validate(schema(() => Object.defineProperty({}, "then", { get: fail(new Error("then")) })), 1),
    issue("then"),
  );
});

Deno.test("validate() takes an answer of the wrong shape for an issue", async () => {
  for (const answer of [undefined, null, true, 7, "ok", {}, [], { issues: "many" }, { value: 1, issues: null }]) {
    const message = "The validator failed: The validator gave neither a value nor issues";
    assertEquals(validate(schema(() => answer), 1), { issues: [{ message }] }, String(answer));
    // deno-lint-ignore no-await-in-loop -- one case after the other
    assertEquals(await validate(schema(() => Promise.resolve(answer)), 1), { issues: [{ message }] }, String(answer));
  }
});

Deno.test("validate() runs schemas of Zod", async () => {
  const user = z.object({ id: z.number(), at: z.string().transform((text) => new Date(text)) });
  const result: SchemaResult<{ id: number; at: Date }> | Promise<unknown> = validate(user, { id: 1, at: "1970-01-01" });
  const output: SchemaOutput<typeof user> = { id: 1, at: new Date(0) };
  assertEquals(result, { value: output });

  const refused = validate(user, { id: "1", at: "1970-01-01" });
  assert(!(refused instanceof Promise) && refused.issues !== undefined);
  assertEquals(refused.issues[0]?.path, ["id"]);

  const refined = z.string().refine((text) => Promise.resolve(text === "a"), "Not a");
  assertEquals(await validate(refined, "a"), { value: "a" });
  assertEquals((await validate(refined, "b")).issues?.[0]?.message, "Not a");
});

Deno.test("isStandardSchema() tells schemas from anything else", () => {
  assertEquals(isStandardSchema(z.string()), true);
  assertEquals(isStandardSchema(Object.assign(() => {}, schema(() => 1))), true);
  const standard = schema(() => 1)["~standard"];
  for (
    const value of [
      ...[undefined, null, 1, "~standard", {}, () => {}, { "~standard": null }, { "~standard": {} }],
      ...[{ "~standard": { ...standard, version: 2 } }, { "~standard": { ...standard, validate: undefined } }],
    ]
  ) assertEquals(isStandardSchema(value), false);
});
