/** Headers as `getHeaders()` of a response of `node:http`, Express or Fastify gives them. */
export interface NodeHeadersLike {
  /** The value of a header, or its values. */
  readonly [name: string]: number | string | readonly string[] | undefined;
}

/** What `new Headers()` takes. The types of Node without those of browsers have no name for it. */
type HeadersGiven = ConstructorParameters<typeof Headers>[0];

/** Headers of one's own of what was given: several values of one name, such as cookies, stay several. */
export function headersFrom(given: HeadersGiven | NodeHeadersLike = {}): Headers {
  if (given instanceof Headers || Symbol.iterator in given) return new Headers(given as HeadersGiven);
  const headers = new Headers();
  for (const [name, value] of Object.entries(given as NodeHeadersLike)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value as readonly string[] : [value]) headers.append(name, String(one));
  }
  return headers;
}
