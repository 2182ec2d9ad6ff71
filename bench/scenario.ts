import type { RedisServer } from "../tests/support/redis_server.ts";
import type { Row } from "./row.ts";

/** What a scenario has at hand. */
export interface Bench {
  /** A Redis server of the scenario's own, empty unless it was given by URL. */
  readonly server: RedisServer;
  /** How many rounds to count. */
  readonly rounds: number;
}

/** Something that is measured. */
export interface Scenario {
  /** By what it can be chosen with `--only`. */
  readonly name: string;
  /** Measures. */
  run(bench: Bench): Promise<Row[]>;
}
