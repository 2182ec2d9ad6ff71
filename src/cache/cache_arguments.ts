import { describe } from "../util/describe.ts";
import { assertKey, assertNamespace, assertTags } from "../util/keys.ts";
import { isStandardSchema } from "../values/standard_schema.ts";

/** What no options are, which need no check. */
export const NONE: Readonly<Record<never, never>> = Object.freeze({});

/** Several keys, each as it should be and once. */
export function distinctKeys(keys: Iterable<string>, action: string, maxKeyBytes: number): string[] {
  if (typeof keys !== "object" || keys === null || !(Symbol.iterator in keys)) {
    throw new TypeError(`Cannot ${action}: wanted several keys, got ${describe(keys)}`);
  }
  const distinct = [...new Set(keys)];
  for (const key of distinct) assertKey(key, maxKeyBytes, action);
  return distinct;
}

/** Whether one of the parts between dots is empty. */
export function hasEmptyPart(name: string): boolean {
  return name.split(".").includes("");
}

/** A namespace of which each part between dots is one. */
export function assertName(name: unknown, action: string): void {
  assertNamespace(name, action);
  if (!hasEmptyPart(name)) return;
  throw new TypeError(
    `Cannot ${action}: wanted a namespace without empty parts between its dots, got ${describe(name)}`,
  );
}

/** Whoever is to be told of progress can be. */
export function assertProgress(onProgress: unknown, action: string): void {
  if (onProgress === undefined || typeof onProgress === "function") return;
  throw new TypeError(`Cannot ${action}: wanted a function to tell, got ${describe(onProgress)}`);
}

/** A schema is one. */
export function assertSchema(schema: unknown): void {
  if (schema !== undefined && !isStandardSchema(schema)) {
    throw new TypeError(`Cannot read from the cache: wanted a Standard Schema as the schema, got ${describe(schema)}`);
  }
}

/** Any number of tags, each as it should be. */
export function distinctTags(tags: readonly string[]): readonly string[] {
  if (!Array.isArray(tags)) {
    throw new TypeError(`Cannot invalidate by tag: wanted a tag or several, got ${describe(tags)}`);
  }
  const distinct = new Set<string>();
  for (const tag of tags as string[]) distinct.add(assertTags([tag], "invalidate by tag")[0]!);
  return [...distinct];
}
