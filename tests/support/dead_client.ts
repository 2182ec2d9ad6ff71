import type { RedisClient } from "../../src/redis/client.ts";

/** A client that is not connected, never will be, and cannot open another connection. */
export const DEAD_CLIENT: RedisClient = {
  name: "dead",
  connected: false,
  generation: 0,
  pipeline: () => Promise.reject(new Error("not connected")),
  reset: () => {},
  subscribe: () => Promise.reject(new Error("not connected")),
  onChange: () => {},
  close: () => Promise.resolve(),
};
