import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";

/** Who may log in. A site of yours has them in a database. */
export class Users {
  readonly #passwords = new Map<string, { salt: Uint8Array; hash: Uint8Array }>();

  /** Adds a user. */
  async add(name: string, password: string): Promise<void> {
    const salt = randomBytes(16);
    this.#passwords.set(name, { salt, hash: await hashOf(password, salt) });
  }

  /** Whether this is the password of that user. It takes as long when there is no such user. */
  async check(name: string, password: string): Promise<boolean> {
    const user = this.#passwords.get(name);
    const hash = await hashOf(password, user?.salt ?? new Uint8Array(16));
    return timingSafeEqual(hash, user?.hash ?? new Uint8Array(32)) && user !== undefined;
  }
}

function hashOf(password: string, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, 32, (error, hash) => error ? reject(error) : resolve(new Uint8Array(hash)));
  });
}
