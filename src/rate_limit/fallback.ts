import { MemoryLimitStore } from "./memory_store.ts";
import type { Preset } from "./presets.ts";
import type { Rule, Standing, Step } from "./store.ts";

/** How a limit stands by policy. */
export interface PolicyStanding extends Standing {
  /** The limit that holds. */
  readonly limit: number;
  /** Whether it was counted here, or not at all. */
  readonly source: "local" | "policy";
}

/** Milliseconds after which to try again what is refused because Redis does not answer. */
const RETRY = 1000;

/** What decides while Redis does not answer, each limit by the policy of its preset. */
export class FallbackLimiter {
  readonly #share: number;
  readonly #rules = new WeakMap<Preset, Rule>();
  readonly #store: MemoryLimitStore;

  constructor(share: number, now?: () => number) {
    this.#share = share;
    this.#store = new MemoryLimitStore(now && { now });
  }

  /** Takes steps together, all or nothing. */
  async run(steps: readonly Step<Preset>[]): Promise<PolicyStanding[]> {
    const closed = steps.some(({ rule, action }) =>
      rule.onUnavailable === "closed" && (action === "check" || action === "reserve")
    );
    const local = steps.filter(({ rule }) => rule.onUnavailable === "local");
    const counted = local.length === 0 ? [] : await this.#store.run(local.map((step): Step => {
      const rule = this.#ruleOf(step.rule);
      // What is refused by another is not counted here.
      return { ...step, rule, cost: Math.min(step.cost, rule.burst), action: closed ? "peek" : step.action };
    }));
    let next = 0;
    return steps.map(({ rule, cost }): PolicyStanding => {
      if (rule.onUnavailable === "local") {
        return { ...counted[next++]!, limit: this.#ruleOf(rule).limit, source: "local" };
      }
      const allowed = rule.onUnavailable === "open";
      return {
        allowed,
        limit: rule.limit,
        remaining: allowed ? rule.most - cost : 0,
        resetAfter: allowed ? 0 : RETRY,
        retryAfter: allowed ? 0 : RETRY,
        moreAfter: allowed ? 0 : RETRY,
        receipt: 0,
        source: "policy",
      };
    });
  }

  /** Takes back what was counted here, and tells whether something was. */
  async refund(step: Step<Preset>): Promise<boolean> {
    const rule = this.#ruleOf(step.rule);
    const [standing] = await this.#store.run([{ ...step, rule, cost: Math.min(step.cost, rule.burst) }]);
    return standing!.allowed;
  }

  /** Forgets what was counted here. */
  async reset(rule: Preset, id: string): Promise<void> {
    await this.#store.run([{ rule: this.#ruleOf(rule), id, action: "reset", cost: 1 }]);
  }

  /** The rule that holds in this process: a share of the whole. */
  #ruleOf(preset: Preset): Rule {
    let rule = this.#rules.get(preset);
    if (!rule) {
      const share = (amount: number) => Math.max(1, Math.floor(amount * this.#share));
      rule = { ...preset, limit: share(preset.limit), burst: share(preset.burst) };
      this.#rules.set(preset, rule);
    }
    return rule;
  }
}
