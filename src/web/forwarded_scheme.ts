/** The scheme that a proxy says its client has used, and the header that says so. */
export interface ForwardedScheme {
  /** The scheme. */
  readonly scheme: "http" | "https";
  /** The header that said it, for whoever is given the request instead. */
  readonly header: readonly [name: string, value: string];
}
