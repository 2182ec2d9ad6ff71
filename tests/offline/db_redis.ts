/**
 * Stands where `jsr:@db/redis` is looked for when JSR does not answer: there is none. Larder itself needs none; tests
 * of what is made of it are ignored then.
 *
 * @module
 */
// deno-lint-ignore-file no-explicit-any -- it has no types to give

/** What would be a client. */
export type Redis = any;
/** What would be the port below a client. */
export type Client = any;

function absent(): never {
  throw new Error("Cannot use jsr:@db/redis: JSR does not answer");
}

/** There is none. */
export const connect: (options: object) => Promise<any> = absent;
/** There is none. */
export const create: (client: any) => any = absent;
/** There is none. */
export const createLazyClient: (options: object) => any = absent;
