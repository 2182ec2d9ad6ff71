import { type OptionNames, optionNames } from "../util/option_names.ts";
import type {
  CreateSessionOptions,
  DestroyAllOptions,
  EndSessionOptions,
  GetSessionOptions,
  ListSessionsOptions,
  RegenerateSessionOptions,
  SessionOperationOptions,
  SessionsOptions,
  TypedSessionsOptions,
  UpdateAllOptions,
  UpdateSessionOptions,
} from "./options.ts";

// The order is that in which a message names them.

export const OPERATION: OptionNames = optionNames<SessionOperationOptions>({ signal: true });
export const END: OptionNames = optionNames<EndSessionOptions>({ durability: true, signal: true });
export const CREATE: OptionNames = optionNames<CreateSessionOptions>({
  tags: true,
  ttl: true,
  absoluteTtl: true,
  request: true,
  address: true,
  persistent: true,
  durability: true,
  signal: true,
});
export const GET: OptionNames = optionNames<GetSessionOptions>({ roll: true, signal: true });
export const UPDATE: OptionNames = optionNames<UpdateSessionOptions>({
  ifVersion: true,
  tags: true,
  durability: true,
  signal: true,
});
export const UPDATE_ALL: OptionNames = optionNames<UpdateAllOptions>({ tags: true, durability: true, signal: true });
export const LIST: OptionNames = optionNames<ListSessionsOptions>({ limit: true, cursor: true, signal: true });
export const REGENERATE: OptionNames = optionNames<RegenerateSessionOptions>({
  userId: true,
  data: true,
  ttl: true,
  absoluteTtl: true,
  tags: true,
  persistent: true,
  request: true,
  address: true,
  durability: true,
  signal: true,
});
export const DESTROY_ALL: OptionNames = optionNames<DestroyAllOptions>({
  except: true,
  durability: true,
  signal: true,
});
export const TYPED: OptionNames = optionNames<TypedSessionsOptions<object>>({ schema: true });
export const SESSIONS: OptionNames = optionNames<SessionsOptions>({
  ttl: true,
  absoluteTtl: true,
  touchEvery: true,
  maxPerUser: true,
  renewalGrace: true,
  maxBytes: true,
  cookie: true,
  secrets: true,
  onUnavailable: true,
  durability: true,
  schema: true,
});
