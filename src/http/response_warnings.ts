/** A proxy seems to be there that is not believed. */
export const SCHEME_UNKNOWN: string =
  "A request has X-Forwarded-Proto, which is not believed: if a proxy of yours writes it, " +
  "say so by rateLimit.trustProxy, or responses are made and kept as for http";
/** What is made for everybody has looked at one visitor's session. */
export const SESSION_LOOKED_AT: string =
  "A response is not kept although it has a key, since a session was looked at for it: it is for its visitor";
