import { addressText } from "../address_text.ts";
import type { Endpoint } from "./socket.ts";

/** Where a Redis server is and how to log in. */
export interface RedisAddress extends Endpoint {
  /** ACL user. */
  readonly username?: string | undefined;
  /** Password. */
  readonly password?: string | undefined;
  /** Database number. @default {0} */
  readonly db?: number | undefined;
}

/** An address as it is told: host and port, or the path of a socket. */
export function endpointText({ hostname, port, path }: Endpoint): string {
  return path === undefined ? addressText({ hostname, port }) : `unix:${path}`;
}
