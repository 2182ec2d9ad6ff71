import * as nodeCrypto from "node:crypto";

/** 32 bytes in base64url; the last character carries four bits. */
const SECRET = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]";
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
    return this.#place(bucketOf(userId, this.#buckets)) + secret();
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

  /** Whether sessions of this user are in the bucket of this handle. */
  isAt(handle: string, userId: string): boolean {
    return this.#width === 0 || handle.startsWith(this.#place(bucketOf(userId, this.#buckets)));
  }

  #place(bucket: number): string {
    return this.#width === 0 ? "" : `${String(bucket).padStart(this.#width - 1, "0")}.`;
  }

  #isPlaced(value: string): boolean {
    return this.#width === 0 || value[this.#width - 1] === "." && Number.parseInt(value, 10) < this.#buckets;
  }
}

/** The bucket of all sessions of a user. Those of visitors are anywhere. */
export function bucketOf(userId: string, buckets: number): number {
  if (buckets === 1) return 0;
  if (userId === "") return Math.floor(Math.random() * buckets);
  // FNV-1a: any even spread does, but it must never change, or sessions are lost sight of.
  let hash = 0x811c9dc5;
  for (let i = 0; i < userId.length; i++) hash = Math.imul(hash ^ userId.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % buckets;
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
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
