import { problem } from "../catalogue/problem.ts";

/** Refuses what another site makes a browser send here: it would come with the cookie of who is logged in. */
export function fromElsewhere({ method, headers }: Request): Response | undefined {
  if (method === "GET" || method === "HEAD") return undefined;
  const site = headers.get("sec-fetch-site");
  return site === null || site === "same-origin" ? undefined : problem(403, "Ask from the page itself");
}
