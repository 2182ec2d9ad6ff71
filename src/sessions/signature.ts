import nodeCrypto from "node:crypto";

/** Characters of a secret that signs, at least. */
export const SECRET_LENGTH = 32;

/** A SHA-256 in base64url. */
const SIGNATURE = /^[\w-]{43}$/;

/** Signs texts with the first of several secrets and accepts those of all. */
export class Signer {
  readonly #secrets: readonly string[];

  constructor(secrets: readonly string[]) {
    this.#secrets = [...secrets];
  }

  /** The text with its signature; the text alone where there is no secret. `about` is signed along. */
  sign(text: string, about: string): string {
    const [secret] = this.#secrets;
    return secret === undefined ? text : `${text}.${signature(secret, text, about)}`;
  }

  /**
   * The text of what has the form of something signed, whoever signed it; `undefined` if it has not. Costs next to
   * nothing.
   */
  textOf(signed: string): string | undefined {
    if (this.#secrets.length === 0) return signed;
    const dot = signed.lastIndexOf(".");
    return dot >= 0 && SIGNATURE.test(signed.slice(dot + 1)) ? signed.slice(0, dot) : undefined;
  }

  /** The text of what was signed, or `undefined` if it was not signed with one of the secrets. */
  open(signed: string, about: string): string | undefined {
    const text = this.textOf(signed);
    if (text === undefined || this.#secrets.length === 0) return text;
    const given = encoder.encode(signed.slice(text.length + 1));
    for (const secret of this.#secrets) {
      const wanted = encoder.encode(signature(secret, text, about));
      if (wanted.length === given.length && nodeCrypto.timingSafeEqual(wanted, given)) return text;
    }
    return undefined;
  }
}

const encoder = new TextEncoder();

function signature(secret: string, text: string, about: string): string {
  return nodeCrypto.createHmac("sha256", secret).update(`${about}=${text}`).digest("base64url");
}
