import { assertEquals } from "@std/assert";
import type { GetOrSetOptions, LoaderContext, Lookup } from "../../../src/cache/options.ts";
import { type Load, Model, type Outcome, type Seen } from "./model.ts";
import { KEYS, type LoadChoice, type Operation, PATTERNS, valueOf } from "./operations.ts";
import type { System } from "./systems.ts";

/** After so many milliseconds, a call that should have ended hangs. */
const PATIENCE = 5000;
/** By how much, in seconds, times may be off for reasons of rounding. */
const ROUNDING = 0.01;

/** What was looked at. */
export interface Figures {
  sequences: number;
  operations: number;
  /** Results of operations that were compared with the model, one for each system. */
  results: number;
  /** Keys that were looked at after an operation. */
  looks: number;
  /** Reads that were answered by a copy. */
  copies: number;
}

/** What a soak is like. */
export interface SoakOptions {
  /** How many processes there are. @default {2} */
  processes?: number;
  /** Whether loaders end before time passes. @default {false} */
  landing?: boolean;
}

/** A system, with what goes on there. */
interface Subject {
  readonly system: System;
  readonly calls: Map<number, Promise<Outcome>>;
  readonly gates: Map<number, () => void>;
  readonly ran: Map<string, unknown>;
}

/** A call that the model wants to see judged: how it is made in a system, and how it has to end. */
interface Judged {
  readonly call: (subject: Subject) => Promise<unknown>;
  readonly expected: unknown;
  /** Whether what is expected is a time to live, of which some may have passed. */
  readonly time?: boolean;
  /** Whether what is expected is, or comes of, the number of entries that are there. */
  readonly counts?: boolean;
}

/** Does the same to a model and to caches, and compares what they answer and what they hold after each step. */
export class Soak {
  readonly #subjects: readonly Subject[];
  readonly #figures: Figures;
  readonly #processes: number;
  readonly #landing: boolean;
  readonly #models = [new Model(), new Model()] as const;
  #calls = 0;
  /** Whether there may be entries that only a record hides: they are counted when they are removed. */
  #half = false;
  #step = "";

  constructor(systems: readonly System[], figures: Figures, options: SoakOptions = {}) {
    this.#figures = figures;
    this.#processes = options.processes ?? 2;
    this.#landing = options.landing ?? false;
    this.#subjects = systems.map((system) => ({ system, calls: new Map(), gates: new Map(), ran: new Map() }));
  }

  /** Does all of it. */
  async run(operations: readonly Operation[]): Promise<void> {
    this.#figures.sequences++;
    try {
      for (const [i, operation] of operations.entries()) {
        this.#step = `step ${i}, ${JSON.stringify(operation)}`;
        await this.#do({ ...operation, by: operation.by % this.#processes });
        this.#figures.operations++;
        await this.#look();
      }
      this.#step = "the end";
      for (const beside of [false, true]) await this.#land(beside, this.#model(beside).running());
      await this.#look();
    } finally {
      // Whatever happened, nothing is left hanging.
      for (const { gates, calls } of this.#subjects) {
        for (const open of gates.values()) open();
        for (const call of calls.values()) call.catch(() => {});
      }
    }
  }

  async #do(operation: Operation): Promise<void> {
    const { by, beside } = operation;
    const model = this.#model(beside);
    if (operation.do === "land") {
      const running = model.running();
      if (running.length > 0) await this.#land(beside, [running[operation.nth % running.length]!]);
      return;
    }
    if (!["get", "lookup", "has", "ttl", "getMany", "inspect", "getOrSet", "advance"].includes(operation.do)) {
      // Who waits would see it or not, depending on how fast they are.
      await this.#land(beside, model.awaited());
    }
    if (operation.do === "restart") {
      for (const beside of [false, true]) await this.#land(beside, this.#model(beside).running(by));
      return await this.#all((subject) => subject.system.restart(by));
    }
    if (operation.do === "kill") {
      for (const beside of [false, true]) {
        await this.#land(beside, this.#model(beside).awaited());
        const { keys, calls } = this.#model(beside).kill(by);
        await this.#all(async ({ system, calls: waiting }) => {
          await system.expire(keys, beside);
          for (const call of calls) waiting.delete(call); // its loader never ends
        });
      }
      return await this.#all(({ system }) => system.kill(by));
    }
    if (operation.do === "advance") {
      if (this.#landing) {
        for (const beside of [false, true]) await this.#land(beside, this.#model(beside).running());
      }
      for (const model of this.#models) model.now += operation.seconds;
      return await this.#all((subject) => subject.system.advance(operation.seconds, KEYS));
    }
    if (operation.do === "lose") {
      if (operation.what === "ledger") model.remove(() => true);
      return await this.#all((subject) => subject.system.lose(operation.what, beside));
    }
    if (operation.do === "half") {
      // Its loaders may hold on to their leases.
      await this.#land(beside, model.running());
      model.remove(PATTERNS[operation.pattern]!);
      this.#half = true;
      return await this.#all((subject) => subject.system.half(beside, operation.pattern));
    }
    if (operation.do === "getOrSet") return await this.#getOrSet(operation);
    const judged = operation.do === "getOrSetMany" ? this.#getOrSetMany(operation) : this.#plain(operation, model);
    await this.#all(async (subject) => {
      const { system } = subject;
      const reads = system.reads();
      const result = await judged.call(subject);
      if (operation.do === "get" && system.reads() === reads && system.name !== "memory") this.#figures.copies++;
      if (this.#half && judged.counts) return;
      this.#figures.results++;
      if (judged.time) this.#assertTime(system, "the ttl", result, judged.expected);
      else this.#assertSame(system, "the result", result, judged.expected);
    });
    if (operation.do === "getOrSetMany") await this.#settle(operation.by, beside);
  }

  /** Operations without loaders. */
  #plain(operation: Operation, model: Model): Judged {
    const { by, beside } = operation;
    const on = ({ system }: Subject) => system.cache(by, beside);
    const served = (key: string) => model.look(key).status === "hit" ? model.look(key).value : undefined;
    switch (operation.do) {
      case "set": {
        const { key, kind, life, tags } = operation;
        const value = valueOf(kind, ++this.#calls);
        model.set(key, value, life, tags);
        return { call: (to) => on(to).set(key, value, { ...life, tags }), expected: true };
      }
      case "setMany": {
        const { keys, kind, life, tags } = operation;
        const values = new Map(keys.map((key) => [key, valueOf(kind, ++this.#calls)]));
        for (const [key, value] of values) model.set(key, value, life, tags);
        return { call: (to) => on(to).setMany(values, { ...life, tags }), expected: true };
      }
      case "get":
        return { call: (to) => on(to).get(operation.key), expected: served(operation.key) };
      case "getMany": {
        const hits = operation.keys.filter((key) => model.look(key).status === "hit");
        return {
          call: (to) => on(to).getMany(operation.keys),
          expected: new Map(hits.map((key) => [key, served(key)])),
        };
      }
      case "lookup":
        return {
          call: async (to) => (await on(to).lookup(operation.key)).status,
          expected: model.look(operation.key).status,
        };
      case "has":
        return { call: (to) => on(to).has(operation.key), expected: model.look(operation.key).status === "hit" };
      case "ttl": {
        const { status, ttl } = model.look(operation.key);
        return { call: (to) => on(to).ttl(operation.key), expected: status === "hit" ? ttl : undefined, time: true };
      }
      case "touch": {
        const { key, ttl } = operation;
        return { expected: model.touch(key, ttl), counts: true, call: (to) => on(to).touch(key, ttl) };
      }
      case "delete":
        return {
          expected: model.remove((key) => key === operation.key) > 0,
          counts: true,
          call: (to) => on(to).delete(operation.key),
        };
      case "invalidate":
        return {
          expected: { status: "done", removed: model.remove((key) => key === operation.key) },
          counts: true,
          call: (to) => on(to).invalidate(operation.key),
        };
      case "invalidateMany":
        return {
          expected: { status: "done", removed: model.remove((key) => operation.keys.includes(key)) },
          counts: true,
          call: (to) => on(to).invalidateMany(operation.keys),
        };
      case "tags": {
        const { tags, mode } = operation;
        model.invalidateTags(tags, mode);
        return { expected: { status: "done" }, call: (to) => on(to).invalidateByTag(tags, { mode }) };
      }
      case "pattern": {
        const { pattern } = operation;
        const removed = model.remove(PATTERNS[pattern]!);
        return {
          expected: { status: "done", removed },
          counts: true,
          call: (to) => on(to).invalidateByPattern(pattern),
        };
      }
      case "inspect":
        return {
          expected: model.keys().filter(PATTERNS[operation.pattern]!),
          call: async (to) => {
            const entries = await Array.fromAsync(on(to).inspect(operation.pattern));
            return entries.map((entry) => entry.key).sort();
          },
        };
      case "clear":
        model.remove(() => true);
        return { expected: { status: "done" }, call: (to) => on(to).clear() };
      default:
        throw new Error(`No such operation: ${operation.do}`);
    }
  }

  async #getOrSet({ by, beside, key, load: choice }: Extract<Operation, { do: "getOrSet" }>): Promise<void> {
    const model = this.#model(beside);
    const load = loadOf(choice, ++this.#calls);
    if (!load.lock) await this.#land(beside, model.awaited()); // it may take the lease from whom they wait for
    const answer = model.getOrSet(by, key, load);
    if (answer === undefined) return;
    await this.#all(async (subject) => {
      const call = this.#start(subject, by, beside, key, load, choice);
      if (answer === "later") subject.calls.set(load.call, call);
      else this.#judge(subject, load.call, await call, answer);
    });
    await this.#settle(by, beside);
  }

  /** Makes a call, which may not end before its loader does. */
  #start(subject: Subject, by: number, beside: boolean, key: string, load: Load, choice: LoadChoice): Promise<Outcome> {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    if (load.blocked) subject.gates.set(load.call, open);
    else open();
    const loader = async (context: LoaderContext<unknown>) => {
      subject.ran.set(`${load.call}`, context.stale);
      await gate;
      if (load.setTtl !== undefined) context.setTtl(load.setTtl);
      if (load.setTags) context.setTags(load.setTags);
      if (load.ends === "throw") throw new Error(`load ${load.call}`);
      if (load.ends === "absent") return undefined;
      if (load.ends === "unstored") subject.system.refused.add(key);
      if (load.ends === "notModified") return context.notModified();
      return load.ends === "skip" ? context.skip(load.value) : load.value;
    };
    return outcomeOf(
      subject.system.cache(by, beside).getOrSet(
        key,
        loader,
        optionsOf(load, choice.dynamic && load.refreshAhead === 0),
      ),
    );
  }

  #getOrSetMany({ by, beside, keys, absent, load: choice }: Extract<Operation, { do: "getOrSetMany" }>): Judged {
    const model = this.#model(beside);
    // One call loads several, so it ends in one way for all of them; which of them are absent is drawn for each.
    const ends = choice.ends === "throw" ? "throw" : "value";
    const load = { ...loadOf(choice, ++this.#calls), ends, refreshAhead: 0, impatient: false } as const;
    const wanted = keys.filter((key) => !model.waits(key));
    const given = new Map(
      wanted.filter((key) => !absent.includes(key)).map((key) => [key, valueOf(choice.kind, ++this.#calls)]),
    );
    const expected = model.getOrSetMany(by, wanted, load, given);
    return {
      expected,
      call: ({ system, ran }) => {
        const loader = (missing: readonly string[]) => {
          for (const key of missing) ran.set(`${load.call} ${key}`, undefined);
          if (load.ends === "throw") throw new Error(`load ${load.call}`);
          return new Map(missing.filter((key) => given.has(key)).map((key) => [key, given.get(key)]));
        };
        return outcomeOf(system.cache(by, beside).getOrSetMany(wanted, loader, optionsOf(load, choice.dynamic)));
      },
    };
  }

  /** Ends loaders, and judges the calls that waited for them. */
  async #land(beside: boolean, calls: readonly number[]): Promise<void> {
    const model = this.#model(beside);
    for (const call of calls) {
      const outcomes = model.land(call);
      await this.#all(async (subject) => {
        subject.gates.get(call)!();
        subject.gates.delete(call);
        for (const [waiting, expected] of outcomes) {
          this.#judge(subject, waiting, await subject.calls.get(waiting)!, expected);
          subject.calls.delete(waiting);
        }
      });
      for (let by = 0; by < this.#processes; by++) await this.#settle(by, beside);
    }
  }

  #judge({ system }: Subject, call: number, outcome: Outcome, expected: Outcome): void {
    this.#figures.results++;
    this.#assertSame(system, `the result of call ${call}`, outcome, expected);
  }

  /** Waits until the loaders have run that should, in the background too, and what they left behind is in Redis. */
  async #settle(by: number, beside: boolean): Promise<void> {
    const model = this.#model(beside);
    await this.#all(async ({ system, ran }) => {
      const cache = system.cache(by, beside);
      while (ran.size < model.ran.size || cache.stats().loading > model.counted(by)) {
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      await system.flushed(by);
      this.#assertSame(system, "the loaders that ran, with the previous values they were given", ran, model.ran);
      this.#assertSame(system, "stats().loading", cache.stats().loading, model.counted(by));
      ran.clear();
    });
    model.ran.clear();
  }

  /** Compares what is in the caches with what should be. */
  async #look(): Promise<void> {
    await this.#all(async ({ system, ran }) => {
      this.#assertSame(system, "loaders that should not have run", ran, new Map());
      const both = await Promise.all([false, true].map((beside) => {
        return Promise.all(KEYS.map((key) => system.cache(-1, beside).lookup(key)));
      }));
      for (const [i, looks] of both.entries()) {
        for (const [j, look] of looks.entries()) this.#compare(system, KEYS[j]!, look, this.#models[i]!.look(KEYS[j]!));
      }
    });
  }

  #compare(system: System, key: string, { ttl, age, ...seen }: Lookup<unknown>, wanted: Seen): void {
    const what = JSON.stringify(key);
    const { ttl: wantedTtl, age: wantedAge, ...rest } = wanted;
    this.#figures.looks++;
    this.#assertSame(system, what, { status: seen.status, value: seen.value, tags: [...seen.tags] }, rest);
    this.#assertTime(system, `the ttl of ${what}`, ttl, wantedTtl);
    if (system.ages) this.#assertTime(system, `the age of ${what}`, -age, -wantedAge);
  }

  #model(beside: boolean): Model {
    return this.#models[beside ? 1 : 0];
  }

  /** Does something to all systems at a time, none of which may hang. */
  async #all(work: (subject: Subject) => Promise<void>): Promise<void> {
    await Promise.all(this.#subjects.map(async (subject) => {
      let timer;
      const hanging = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${subject.system.name} hangs at ${this.#step}`)), PATIENCE);
      });
      try {
        await Promise.race([work(subject), hanging]);
      } finally {
        clearTimeout(timer);
      }
    }));
  }

  #assertSame(system: System, what: string, actual: unknown, expected: unknown): void {
    assertEquals(actual, expected, `${system.name} differs from the model at ${this.#step}: ${what}`);
  }

  #assertTime(system: System, what: string, actual: unknown, expected: unknown): void {
    const [least, most] = [Number(expected) - system.passed() / 1000 - ROUNDING, Number(expected) + ROUNDING];
    const same = actual === expected || (Number(actual) >= least && Number(actual) <= most);
    if (!same) this.#assertSame(system, what, actual, expected);
  }
}

function loadOf(choice: LoadChoice, call: number): Load {
  const { kind, dynamic: _, ...rest } = choice;
  const value = valueOf(kind, call);
  return {
    ...{ ...rest, call, value },
    // A loader that gives undefined says that there is nothing.
    ends: value === undefined && (rest.ends === "value" || rest.ends === "unstored") ? "absent" : rest.ends,
    impatient: choice.impatient && choice.blocked,
    // A ttl that a loader sets is known to one process, and says nothing of refreshing ahead to the others.
    setTtl: rest.refreshAhead > 0 ? undefined : rest.setTtl,
  };
}

function optionsOf({ life, tags, refreshAhead, lock, impatient }: Load, dynamic: boolean): GetOrSetOptions {
  return {
    ...life,
    ...(dynamic ? { ttl: () => life.ttl, tags: () => tags } : { tags }),
    ...{ refreshAhead, lock, timeout: impatient ? 0 : undefined },
  };
}

async function outcomeOf(call: Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await call };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { error: error.name === "Error" ? error.message : error.name };
  }
}
