import type { Duration } from "../util/duration.ts";
import { assertOptions, type OptionNames, optionNames } from "../util/option_names.ts";
import type {
  CacheOptions,
  DefinitionOptions,
  GetOptions,
  GetOrSetOptions,
  InspectOptions,
  InvalidateByPatternOptions,
  InvalidateByTagOptions,
  LoadCallOptions,
  OperationOptions,
  SetOptions,
  VersionOptions,
} from "./options.ts";

// The order is that in which a message names them.

const LIFETIME = { ttl: true, staleWhileRevalidate: true, staleIfError: true, jitter: true } as const;
const LOAD = {
  lease: true,
  timeout: true,
  hardTimeout: true,
  waitTimeout: true,
  beta: true,
  refreshAhead: true,
  unstorable: true,
} as const;
const OPERATION_ONLY = { signal: true } as const;
const VERSION = { version: true } as const;

export const OPERATION: OptionNames = optionNames<OperationOptions>(OPERATION_ONLY);
export const GET: OptionNames = optionNames<GetOptions>({ schema: true, ...VERSION, ...OPERATION_ONLY });
export const VERSIONED: OptionNames = optionNames<OperationOptions & VersionOptions>({ ...VERSION, ...OPERATION_ONLY });
export const INSPECT: OptionNames = optionNames<InspectOptions>({ values: true, schema: true, ...OPERATION_ONLY });
const SET = optionNames<SetOptions>({ ...LIFETIME, tags: true, ...VERSION, ...OPERATION_ONLY });

const KEPT = { ...LIFETIME, ...LOAD, tags: true, schema: true, lock: true, ...VERSION } as const;
const GET_OR_SET = optionNames<GetOrSetOptions>({ ...KEPT, fresh: true, ...OPERATION_ONLY });
export const LOAD_CALL: OptionNames = optionNames<LoadCallOptions>({
  fresh: true,
  timeout: true,
  hardTimeout: true,
  waitTimeout: true,
  ...OPERATION_ONLY,
});
export const WRAP: OptionNames = optionNames<GetOrSetOptions & { key: unknown }>({
  key: true,
  ...KEPT,
  fresh: true,
  ...OPERATION_ONLY,
});
export const DEFINE: OptionNames = optionNames<DefinitionOptions<unknown, unknown>>({
  name: true,
  key: true,
  load: true,
  loadMany: true,
  ...KEPT,
});

export const BY_TAG: OptionNames = optionNames<InvalidateByTagOptions>({ mode: true, ...OPERATION_ONLY });
export const BY_PATTERN: OptionNames = optionNames<InvalidateByPatternOptions>({ onProgress: true, ...OPERATION_ONLY });

export const CACHE: OptionNames = optionNames<CacheOptions>({
  enabled: true,
  ...LIFETIME,
  ...LOAD,
  retryAfter: true,
  serializer: true,
  compress: true,
  maxBytes: true,
  maxKeyBytes: true,
  local: true,
  memory: true,
});

/** Options of `set`, or a duration in their place, which is the ttl. */
export function setOptionsOf(options: SetOptions | Duration): SetOptions {
  if (typeof options === "number" || typeof options === "string") return { ttl: options };
  assertOptions(options, SET, "write to the cache");
  return options;
}

/** Options of `getOrSet`, or a duration in their place, which is the ttl. */
export function loadOptionsOf<T>(options: GetOrSetOptions<T> | Duration): GetOrSetOptions<T> {
  if (typeof options === "number" || typeof options === "string") return { ttl: options };
  if (typeof options === "function") {
    throw new TypeError(
      "Cannot read from the cache: wanted an object with options behind the loader, got a function",
    );
  }
  assertOptions(options, GET_OR_SET, "read from the cache");
  return options;
}
