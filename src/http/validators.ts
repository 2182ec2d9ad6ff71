import type { StoredResponse } from "./stored_response.ts";

/** The conditions by which it can be asked whether a response is good still; none where it has nothing to go by. */
export function validatorsOf({ headers, status }: StoredResponse): Record<string, string> {
  if (status !== 200 && status !== 203) return {};
  const validators: Record<string, string> = {};
  for (const [name, value] of headers) {
    if (name === "etag") validators["if-none-match"] = value;
    if (name === "last-modified") validators["if-modified-since"] = value;
  }
  return validators;
}

/** Whether a 304 is of what is kept (RFC 9111, section 4.3.4): its entity tag, if it has one, is the same. */
export function isOf({ headers }: Response, previous: StoredResponse): boolean {
  const etag = headers.get("etag");
  const known = previous.headers.find(([name]) => name === "etag")?.[1];
  return etag === null || known === undefined || etag.replace(/^W\//, "") === known.replace(/^W\//, "");
}
