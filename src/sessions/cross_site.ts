import type { SessionCookie } from "./cookie.ts";

/**
 * Whether there may be a session although the request has no cookie of it: another site has caused the request, so that
 * the browser keeps the cookie back (RFC 6265bis, section 5.6.7.1), and takes the one of the answer for all that.
 */
export function mayLackCookie(request: Request, cookie: SessionCookie): boolean {
  const { headers, method } = request;
  if (cookie.sameSite === "none" || headers.get("sec-fetch-site") !== "cross-site" || cookie.isSent(request)) {
    return false;
  }
  const isLink = ["GET", "HEAD"].includes(method) && headers.get("sec-fetch-mode") === "navigate" &&
    headers.get("sec-fetch-dest") === "document";
  return !(cookie.sameSite === "lax" && isLink);
}
