import * as nodeCrypto from "node:crypto";
import { bucketOf } from "../redis/buckets.ts";
import type { SealedStep } from "./store.ts";

/** 32 bytes in base64url; the last character carries four bits. */
const SECRET = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]";
const SECRET_LENGTH = 43;
const TOKEN = new RegExp(`^${SECRET}$`);
const PLACED_TOKEN = new RegExp(`^\\d{1,4}\\.${SECRET}$`);
const HANDLE = /^[0-9a-f]{64}$/;
const PLACED_HANDLE = /^\d{1,4}\.[0-9a-f]{64}$/;

/** How tokens and handles look where sessions are spread over so many buckets. */
export class TokenFormat {
  readonly #buckets: number;
  readonly #width: number;
  readonly #token: RegExp;
  readonly #handle: RegExp;

  constructor(buckets: number) {
    this.#buckets = buckets;
    this.#width = buckets === 1 ? 0 : String(buckets - 1).length + 1;
    this.#token = buckets === 1 ? TOKEN : PLACED_TOKEN;
    this.#handle = buckets === 1 ? HANDLE : PLACED_HANDLE;
  }

  /** A new token, which nobody can guess, of a session of this user. */
  create(userId: string): string {
    return this.#place(bucketOfUser(userId, this.#buckets)) + secret();
  }

  /** A new token in the bucket of a handle. */
  createBeside(handle: string): string {
    return this.#place(bucketOfHandle(handle)) + secret();
  }

  /** Whether a value has the form of a token that was created here. */
  isToken(value: unknown): value is string {
    return typeof value === "string" && this.#token.test(value) && this.#isPlaced(value);
  }

  /** Whether a value has the form of a handle. */
  isHandle(value: unknown): value is string {
    return typeof value === "string" && this.#handle.test(value) && this.#isPlaced(value);
  }

  /** The handle of a token: its SHA-256, from which nobody finds back. */
  handleOf(token: string): string {
    return this.#width === 0 ? sha256(token) : token.slice(0, this.#width) + sha256(token);
  }

  /** 32 bytes from which only who has the old token finds the new one. They are of use to nobody else. */
  seal(from: string, to: string): Uint8Array {
    return mixed(bytesOf(to), from, this.handleOf(to));
  }

  /** The token at the end of these steps; `undefined` if they do not lead from this one. */
  unseal(token: string, steps: readonly SealedStep[]): string | undefined {
    let found = token;
    for (const { sealed, handle } of steps) {
      found = handle.slice(0, this.#width) + base64url(mixed(sealed, found, handle));
      if (this.handleOf(found) !== handle) return undefined;
    }
    return found;
  }

  /** Whether sessions of this user are in the bucket of this handle. */
  isAt(handle: string, userId: string): boolean {
    return this.#width === 0 || handle.startsWith(this.#place(bucketOfUser(userId, this.#buckets)));
  }

  /** Whether two handles are in one bucket. */
  isBeside(handle: string, other: string): boolean {
    return this.#width === 0 || handle.slice(0, this.#width) === other.slice(0, this.#width);
  }

  #place(bucket: number): string {
    return this.#width === 0 ? "" : `${String(bucket).padStart(this.#width - 1, "0")}.`;
  }

  #isPlaced(value: string): boolean {
    return this.#width === 0 || value[this.#width - 1] === "." && Number.parseInt(value, 10) < this.#buckets;
  }
}

/** The bucket of all sessions of a user. Those of visitors are anywhere. */
export function bucketOfUser(userId: string, buckets: number): number {
  if (userId === "") return Math.floor(Math.random() * buckets);
  return bucketOf(userId, buckets);
}

/** The bucket that a handle names. */
export function bucketOfHandle(handle: string): number {
  const dot = handle.indexOf(".");
  return dot < 0 ? 0 : Number.parseInt(handle, 10);
}

/** In one step where the runtime can, which takes two thirds of the time. */
const sha256: (text: string) => string = typeof nodeCrypto.hash === "function"
  ? (text) => nodeCrypto.hash("sha256", text, "hex") as string
  : (text) => nodeCrypto.createHash("sha256").update(text).digest("hex");

/** 256 random bits in base64url. */
function secret(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

/** The random bits of a token. */
function bytesOf(token: string): Uint8Array {
  const text = token.slice(-SECRET_LENGTH).replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** Bits mixed with those that follow from a token and a handle, which are used for nothing else. */
function mixed(bytes: Uint8Array, token: string, handle: string): Uint8Array {
  const pad = nodeCrypto.createHmac("sha256", token).update(`successor ${handle}`).digest();
  return bytes.map((byte, i) => byte ^ pad[i]!);
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
