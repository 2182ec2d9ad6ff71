import { createHmac, timingSafeEqual } from "node:crypto";

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

  /** The text of what was signed, or `undefined` if it was not signed with one of the secrets. */
  open(signed: string, about: string): string | undefined {
    if (this.#secrets.length === 0) return signed;
    const dot = signed.lastIndexOf(".");
    const [text, given] = [signed.slice(0, Math.max(0, dot)), encoder.encode(signed.slice(dot + 1))];
    for (const secret of this.#secrets) {
      const wanted = encoder.encode(signature(secret, text, about));
      if (wanted.length === given.length && timingSafeEqual(wanted, given)) return text;
    }
    return undefined;
  }
}

const encoder = new TextEncoder();

function signature(secret: string, text: string, about: string): string {
  return createHmac("sha256", secret).update(`${about}=${text}`).digest("base64url");
}
