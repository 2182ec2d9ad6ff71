import { type OptionNames, optionNames } from "../util/option_names.ts";
import type { DecideOptions, GateOptions } from "./gate_options.ts";
import type { CheckOptions, PeekOptions, RateLimitOptions } from "./options.ts";
import type { RouteLimits } from "./rules.ts";

// The order is that in which a message names them.

export const OPERATION: OptionNames = optionNames<Pick<CheckOptions, "signal">>({ signal: true });
export const COUNT: OptionNames = optionNames<Omit<CheckOptions, "cost">>({ durability: true, signal: true });
export const PEEK: OptionNames = optionNames<PeekOptions>({ cost: true, signal: true });
export const CHECK: OptionNames = optionNames<CheckOptions>({ cost: true, durability: true, signal: true });
export const ROUTE: OptionNames = optionNames<RouteLimits>({
  limits: true,
  by: true,
  cost: true,
  skip: true,
  shadow: true,
});
export const GATE: OptionNames = optionNames<GateOptions>({
  user: true,
  onLimited: true,
  respond: true,
  caseSensitive: true,
  strict: true,
  methods: true,
});
export const DECIDE: OptionNames = optionNames<DecideOptions>({ path: true });
export const LIMITS: OptionNames = optionNames<RateLimitOptions>({
  presets: true,
  timeout: true,
  localShare: true,
  maxDenials: true,
  trustProxy: true,
  ipv6Prefix: true,
  legacyHeaders: true,
  exposeHeaders: true,
  durability: true,
});
