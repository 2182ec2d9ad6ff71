import { assertThrows } from "@std/assert";
import { type Config, type ConnectOptions, resolveConfig } from "../../src/connect/config.ts";
import { ConfigError } from "../../src/errors.ts";
import type { RedisClient } from "../../src/redis/client.ts";

/** An environment. */
export type Variables = Record<string, string>;

/** The configuration that comes of options and an environment. */
export function resolve(options: unknown = {}, variables: Variables = {}): Config {
  return resolveConfig(options as ConnectOptions, (name) => variables[name]);
}

/** The error that comes of them. */
export function refusal(options: unknown, variables: Variables = {}): ConfigError {
  return assertThrows(() => resolve(options, variables), ConfigError);
}

/** The part of a configuration that is about servers, with its passwords in the open. */
export function servers(config: Config): Record<string, unknown> {
  const open = (server: object) => {
    const { password, ...rest } = server as { password?: { reveal(): string } };
    return password === undefined ? rest : { ...rest, password: password.reveal() };
  };
  return { ...open(config.server), ...(config.cacheServer && { cache: open(config.cacheServer) }) };
}

/** A client that does nothing. */
export const client: RedisClient = {
  name: "fake",
  connected: true,
  generation: 1,
  pipeline: () => Promise.resolve([]),
  reset() {},
  subscribe: () => Promise.reject(new Error("not here")),
  onChange() {},
  close: () => Promise.resolve(),
};

/** A server as it is unless said otherwise. */
export const LOCAL = { kind: "redis", hostname: "localhost", port: 6379, db: 0, tls: false };
/** What looks like a certificate. */
export const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
