import { z } from "zod";
import { type Duration, type DurationLimits, toMilliseconds, wantedDuration } from "../util/duration.ts";
import { isRecord } from "../util/record.ts";

// The message of each check is the end of the sentence "wanted …".

/** One schema for each option, of the type that the option has: an option more or less does not compile. */
export type Shape<T> = { [K in keyof T]-?: z.ZodType<T[K]> };

/** An object with these options and no others. */
export function options<T>(shape: Shape<T>, error: string): z.ZodType<T> {
  const fields = z.strictObject(shape as Record<string, z.ZodType>, { error });
  return z.custom(isRecord, { error }).pipe(fields) as unknown as z.ZodType<T>;
}

/** `true`, `false`, or an object with these options and no others. */
export function booleanOr<T>(shape: Shape<T>, error: string): z.ZodType<boolean | T | undefined> {
  return z.union([z.boolean(), options(shape, error)], { error }).optional();
}

export function duration(limits?: DurationLimits): z.ZodType<Duration | undefined> {
  const fits = (value: unknown) => {
    try {
      toMilliseconds(value, "", limits);
      return true;
    } catch {
      return false;
    }
  };
  return z.custom<Duration>(fits, { error: ({ input }) => wantedDuration(input, limits) }).optional();
}

export function whole(min: number, max: number): z.ZodType<number | undefined> {
  const error = max === Number.MAX_SAFE_INTEGER
    ? `a whole number of at least ${min}`
    : `a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error }).optional();
}

export function text(error: string): z.ZodType<string | undefined> {
  return z.string({ error }).min(1, { error }).optional();
}

export function functions<T>(error: string, ...names: string[]): z.ZodType<T | undefined> {
  const fits = (value: unknown) =>
    typeof value === "object" && value !== null &&
    names.every((name) => typeof (value as Record<string, unknown>)[name] === "function");
  return z.custom<T>(fits, { error }).optional();
}

/** Whether a value is one that does not throw. */
export function fits(use: () => unknown): boolean {
  try {
    use();
    return true;
  } catch {
    return false;
  }
}
