import type { RedisArgument, RedisClient } from "../../redis/client.ts";

/** A number from 1 to 2^48 that nobody else draws. */
export function nonce(): number {
  return 1 + Math.floor(Math.random() * 2 ** 48);
}

/**
 * The first argument of all scripts: a nonce and, if it is known, the number of the database, which a script cannot
 * find out.
 */
export function nonceFor({ db }: RedisClient): RedisArgument {
  return db === undefined ? nonce() : `${nonce()}@${db}`;
}
