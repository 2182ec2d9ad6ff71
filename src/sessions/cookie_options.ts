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
