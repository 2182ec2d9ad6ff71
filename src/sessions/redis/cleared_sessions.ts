/** Most sessions that are remembered; then it begins anew. */
const MOST = 20_000;

/**
 * Sessions that are older than the newest revocation, and that a script has found to be alive: it was about others. As
 * long as that is the newest they need not be looked up again. A session that gets another user, or other tags, is born
 * anew, so what is known of a birth stays true.
 */
export class ClearedSessions {
  #revoked = 0;
  /** The births of the sessions by their handles. */
  readonly #births = new Map<string, number>();

  /** Whether a session is known to be alive, the newest revocation being this one. */
  has(handle: string, born: number, revoked: number): boolean {
    return revoked === this.#revoked && this.#births.get(handle) === born;
  }

  /** A script found it alive, after this revocation was seen to be the newest. */
  add(handle: string, born: number, revoked: number): void {
    if (revoked !== this.#revoked || this.#births.size >= MOST) this.#births.clear();
    this.#revoked = revoked;
    this.#births.set(handle, born);
  }
}
