/** The handler answered 5xx: an older response is served instead, if there is one. */
export class FailedResponseError extends Error {
  override readonly name: string = "FailedResponseError";
}

/** The handler did not answer in time. */
export class LateResponseError extends Error {
  override readonly name: string = "LateResponseError";
}

/** The response cannot be made for others: whoever waits for it asks for himself. */
export class UnsharedResponseError extends Error {
  override readonly name: string = "UnsharedResponseError";
}
