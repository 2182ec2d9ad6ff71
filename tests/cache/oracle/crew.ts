import { assertEquals } from "@std/assert";
import { delay } from "../../../src/util/abort.ts";
import { DenoProcess } from "../../support/deno_process.ts";
import { until } from "../../support/until.ts";
import { READERS, Truth } from "./oracle_truth.ts";

/** What every process is told. */
export interface CrewJob {
  role: "writer" | "reader";
  /** The number of the reader; -1 for the writer. */
  reader: number;
  /** The file of what is true. */
  truth: string;
}

/** A writer and readers in processes of their own. They judge once and again, since to start them takes its time. */
export class Crew<Told extends object, Report> implements AsyncDisposable {
  readonly #processes: readonly DenoProcess[];

  /** Starts them with a script that does {@linkcode jobs}. */
  constructor(script: string) {
    this.#processes = Array.from({ length: 1 + READERS }, () => DenoProcess.start(script));
  }

  /**
   * Has them work until there is enough.
   *
   * @param told What each of them is told besides.
   * @param isEnough Whether they have done enough.
   * @param trouble Made meanwhile, while there is something to judge.
   * @returns What each of them saw, the writer first.
   */
  async judge(
    told: (job: CrewJob) => Told,
    isEnough: (truth: Truth) => boolean,
    trouble?: () => Promise<void>,
  ): Promise<Report[]> {
    using truth = Truth.create();
    const running = Promise.all(this.#processes.map(async (process, i) => {
      const job: CrewJob = { role: i === 0 ? "writer" : "reader", reader: i - 1, truth: truth.path };
      await process.send({ ...job, ...told(job) });
      return await process.receive<Report>();
    }));
    running.catch(() => truth.stop());
    try {
      while (truth.hits === 0 && !truth.stopped) await delay(5);
      await trouble?.();
      while (!isEnough(truth) && !truth.stopped) await delay(5);
    } finally {
      truth.stop();
      await running.catch(() => {});
      Deno.removeSync(truth.path);
    }
    return await running;
  }

  /** Says that there is nothing more to do, upon which each process ends by itself: nothing is left in it. */
  async end(): Promise<void> {
    for (const process of this.#processes) {
      await process.closeInput();
      await until(() => process.ended, "the process ends");
      assertEquals(process.ended?.code, 0);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) await process[Symbol.asyncDispose]();
  }
}
