import { answered } from "../util/answered.ts";

/** One reason why a value does not fit a schema. */
export interface SchemaIssue {
  /** What is wrong, for people. */
  readonly message: string;
  /** Where in the value, outermost key first. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** What a validation gives: the value, possibly transformed, or the issues. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/**
 * Any validator of the [Standard Schema](https://standardschema.dev) family, version 1: Zod, Valibot, ArkType and
 * others give one, and ten lines make one by hand.
 *
 * @typeParam Input What the validator takes.
 * @typeParam Output What comes out of it.
 *
 * @example A schema by hand
 * ```ts
 * import type { StandardSchema } from "@larder/larder/cache";
 * import assert from "node:assert/strict";
 *
 * const port: StandardSchema<unknown, number> = {
 *   "~standard": {
 *     version: 1,
 *     vendor: "example",
 *     validate: (value) =>
 *       Number.isInteger(value) ? { value: value as number } : { issues: [{ message: "Not an integer" }] },
 *   },
 * };
 * assert.deepEqual(port["~standard"].validate(6379), { value: 6379 });
 * ```
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** The interface proper; the odd name keeps it out of the way of the library's own methods. */
  readonly "~standard": {
    /** The version of the interface. */
    readonly version: 1;
    /** The library that made the schema. */
    readonly vendor: string;
    /** Checks a value, at once or later. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** For the type system only. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/**
 * The type that a schema produces.
 *
 * @typeParam Schema A Standard Schema.
 */
export type SchemaOutput<Schema extends StandardSchema> = NonNullable<Schema["~standard"]["types"]>["output"];

/**
 * The type that a schema takes.
 *
 * @typeParam Schema A Standard Schema.
 */
export type SchemaInput<Schema extends StandardSchema> = NonNullable<Schema["~standard"]["types"]>["input"];

/**
 * Tells whether a value can be used as a schema.
 *
 * @param value Anything.
 * @returns Whether it implements Standard Schema, version 1.
 */
export function isStandardSchema(value: unknown): value is StandardSchema {
  // Some libraries make their schemas callable, so a function may be one.
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard = (value as Partial<StandardSchema>)["~standard"];
  return typeof standard === "object" && standard !== null && standard.version === 1 &&
    typeof standard.validate === "function";
}

/**
 * Runs a value through a schema. Never throws and never rejects: a validator that fails, or does not answer within 2
 * seconds, counts as an issue.
 *
 * @typeParam Output What the schema produces.
 * @param schema The schema.
 * @param value The value to check.
 * @returns The value or the issues; a promise only when the schema is asynchronous.
 */
export function validate<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
): SchemaResult<Output> | Promise<SchemaResult<Output>> {
  try {
    const result: unknown = schema["~standard"].validate(value);
    return isThenable(result)
      ? answered(result, "it").then((settled) => settle<Output>(settled), failed)
      : settle<Output>(result);
  } catch (error) {
    return failed(error);
  }
}

/** Tells whether something can be awaited. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as PromiseLike<unknown>).then === "function";
}

function settle<Output>(result: unknown): SchemaResult<Output> {
  try {
    if (typeof result === "object" && result !== null) {
      const { issues } = result as { issues?: unknown };
      if (Array.isArray(issues)) return { issues };
      if (issues === undefined && "value" in result) return { value: result.value as Output };
    }
    return failed(new TypeError("The validator gave neither a value nor issues"));
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): { readonly issues: readonly SchemaIssue[] } {
  const reason = error instanceof Error ? error.message : "it threw a value that is not an error";
  return { issues: [{ message: `The validator failed: ${reason}` }] };
}
