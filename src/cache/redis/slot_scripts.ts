import type { Batch } from "../../redis/batch.ts";
import type { RedisArgument, RedisReply } from "../../redis/client.ts";
import type { Script } from "../../redis/script.ts";
import { nonceFor } from "./nonce.ts";
import type { RunCheck } from "./run_check.ts";

/** Runs the scripts of a slot one by one. All have its ledger as their last key, and check which run the server is. */
export class SlotScripts {
  readonly #batch: Batch;
  readonly #ledger: string;
  readonly #run: RunCheck;

  constructor(batch: Batch, ledger: string, run: RunCheck) {
    this.#batch = batch;
    this.#ledger = ledger;
    this.#run = run;
  }

  /** Runs one. */
  async run(
    script: Script,
    keys: readonly RedisArgument[],
    args: readonly RedisArgument[],
    operation: string,
  ): Promise<RedisReply> {
    const { client } = this.#batch;
    const { generation } = client;
    const { flag } = this.#run;
    // One that the server did not know would have to be sent again, behind what was called after it.
    const options = { operation, whole: script.isNew(this.#batch) };
    const reply = await script.run(this.#batch, [...keys, this.#ledger], [nonceFor(client), flag, ...args], options);
    if (flag === "1") this.#run.checked(generation);
    return reply;
  }
}
