import type { HangUp } from "./hang_up.ts";
import type { SchemeReader } from "../rate_limit/scheme_reader.ts";

/** What is behind the cache. */
export interface Behind {
  /** Answers the request itself, with all that is known of its visitor. */
  readonly next: () => Response | Promise<Response>;
  /** Answers a request of the cache's own, also when the visitor's has been answered. */
  readonly load: (request: Request, foreground: boolean) => Response | Promise<Response>;
  /** What is known of the visitor's connection. */
  readonly connection?: unknown;
  /** Tells the scheme that the client has used, where the framework believes what proxies say. */
  readonly scheme?: SchemeReader | undefined;
  /** Whether more is known of the visitor than the request says. */
  readonly personal?: boolean;
  /** Gives a signal that is aborted when the visitor hangs up, where that of the request is not. */
  readonly hungUp?: () => AbortSignal;
  /** Whether `load` works only until the visitor's request has been answered. */
  readonly once?: boolean;
}

/** What is behind the cache, for a visitor who may hang up while something is read for him. */
export interface BehindRead extends Behind {
  /** Ends what is read for him. */
  readonly hangUp: HangUp;
}
