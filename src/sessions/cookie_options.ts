import { stringifySetCookie } from "cookie";
import { describe } from "../util/describe.ts";
import { type OptionNames, optionNames } from "../util/option_names.ts";

/** What the cookie of a session is like. */
export interface SessionCookieOptions {
  /**
   * Its name. With `__Host-` or `__Secure-` in front, browsers see to it that it was set over HTTPS, and with the
   * former by this very host.
   *
   * @default {"__Host-session"}, or "session" with `insecure`, a `domain` or another `path`
   */
  name?: string | undefined;
  /** The path under which it is sent. @default {"/"} */
  path?: string | undefined;
  /** The domain whose hosts all get it. @default {the host that set it, alone} */
  domain?: string | undefined;
  /** Whether it is sent with requests that other sites cause. @default {"lax"} */
  sameSite?: "strict" | "lax" | "none" | undefined;
  /** Whether each site that embeds this one has a cookie of its own. @default {false} */
  partitioned?: boolean | undefined;
  /** Whether it outlives the browser: without `Max-Age` it ends when the browser is closed. @default {true} */
  persistent?: boolean | undefined;
  /** Sends it over plain HTTP: for development on localhost, and for nothing else. @default {false} */
  insecure?: boolean | undefined;
}

export const COOKIE: OptionNames = optionNames<SessionCookieOptions>({
  name: true,
  path: true,
  domain: true,
  sameSite: true,
  partitioned: true,
  persistent: true,
  insecure: true,
});

/** Refuses what cannot be written at once, and not when the first logs in. */
export function assertWritable({ domain, path }: { readonly domain?: string; readonly path: string }): void {
  const writes = (attributes: { domain?: string; path?: string }) => {
    try {
      return stringifySetCookie({ name: "session", value: "", ...attributes }) !== "";
    } catch {
      return false;
    }
  };
  if (!writes({ path })) {
    throw new TypeError(
      `Cannot use "cookie.path": wanted a path without ";" and signs of control, got ${describe(path)}`,
    );
  }
  if (domain !== undefined && !writes({ domain })) {
    throw new TypeError(
      `Cannot use "cookie.domain": wanted a domain alone, such as "example.com", got ${describe(domain)}`,
    );
  }
}
