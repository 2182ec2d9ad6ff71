import { decoder } from "../util/utf8.ts";
import { reconnectDelay } from "./backoff.ts";
import { unref } from "../util/timers.ts";
import { RedisError, UnavailableError } from "../errors.ts";
import { clearTimeout, queueMicrotask, setTimeout } from "../util/real_timers.ts";
import { Proof } from "./proof.ts";
import { isRefusal } from "./refusals.ts";
import type { Member } from "./subscription_member.ts";
import {
  isTransient,
  type RefusedTopic,
  SUBSCRIBED_WITHIN,
  type Subscriber,
  type SubscriberEvents,
  type SubscriptionHost,
  type Topic,
} from "./subscription_topic.ts";

/** So that an idle process stays below 10,000 commands a day, for which some providers charge nothing. */
const PROOF_EVERY = 10_000;
/** After how many milliseconds what was refused for now is tried again. */
const AGAIN_IN = 200;

/** The connection of all subscriptions, from the first of them to the last. */
export class SubscriptionLine {
  readonly #host: SubscriptionHost;
  readonly #members = new Map<string, Set<Member>>();
  readonly #stop = new AbortController();
  /** Proofs by their channels: of the connection, and of what was added to it. */
  readonly #proofs = new Map<string, (sent: number) => void>();
  readonly #ended: Promise<void>;
  #subscriber: Subscriber | undefined;
  #proof: Proof | undefined;
  #joining = new Set<Member>();
  #leaving = new Map<string, Topic>();
  /** Those to try again, and when. */
  #later = new Set<Member>();
  #laterTimer: ReturnType<typeof setTimeout> | undefined;
  #flushing = false;
  #wake: (() => void) | undefined;

  constructor(host: SubscriptionHost) {
    this.#host = host;
    this.#ended = Promise.resolve().then(() => this.#run());
  }

  get empty(): boolean {
    return this.#members.size === 0;
  }

  add(member: Member): void {
    const key = keyOf(member.topic);
    const members = this.#members.get(key);
    if (members) members.add(member);
    else this.#members.set(key, new Set([member]));
    this.#leaving.delete(key);
    this.#joining.add(member);
    this.#flushSoon();
  }

  remove(member: Member): void {
    const key = keyOf(member.topic);
    const members = this.#members.get(key);
    if (!members?.delete(member) || members.size > 0) return;
    this.#members.delete(key);
    this.#leaving.set(key, member.topic);
    this.#flushSoon();
  }

  async prove(): Promise<boolean> {
    return await this.#proof?.prove() ?? false;
  }

  async close(): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#stop.abort();
      clearTimeout(this.#laterTimer);
      this.#subscriber?.close();
      this.#wake?.();
    }
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    for (let attempt = 0; !signal.aborted;) {
      let subscriber: Subscriber | undefined;
      let proof: Proof | undefined;
      try {
        subscriber = await this.#host.open(this.#events, signal);
        if (signal.aborted) return;
        this.#subscriber = subscriber;
        this.#joining.clear(); // they are among the members
        this.#leaving.clear();
        const members = [...this.#members.values()].flatMap((some) => [...some]);
        const topics = topicsOf(members);
        const proofTopic = proofTopicFor(topics[0]!);
        const refused: RefusedTopic[] = [];
        this.#proofs.set(proofTopic.name, (sent) => {
          proof?.seen(sent);
          if (this.#proof === proof) return;
          attempt = 0;
          this.#proof = proof;
          this.#heard(members, refused);
          this.#flushSoon();
        });
        refused.push(...await this.#subscribe(subscriber, [...topics, proofTopic]));
        proof = this.#prove(proofTopic, subscriber);
        await subscriber.lost;
      } catch (error) {
        this.#denied(error); // or not reached; the next attempt follows, for ever
      } finally {
        proof?.stop();
        subscriber?.close();
        this.#proofs.clear();
        this.#subscriber = this.#proof = undefined;
        for (const some of this.#members.values()) for (const member of some) member.lost();
      }
      if (!signal.aborted) await this.#pause(reconnectDelay(attempt++));
    }
  }

  readonly #events: SubscriberEvents = {
    message: (kind, name, payload, channel) => {
      if (this.#stop.signal.aborted) return;
      this.#proof?.alive();
      const members = this.#members.get(keyOf({ kind, name }));
      if (members) { for (const member of [...members]) member.listener.message(payload, channel); }
      else this.#proofs.get(name)?.(Number(decoder.decode(payload)));
    },
    ended: (name) => {
      for (const member of this.#members.get(keyOf({ kind: "sharded", name })) ?? []) {
        member.lost();
        this.#joining.add(member);
      }
      this.#flushSoon();
    },
  };

  #prove({ name }: Topic, subscriber: Subscriber): Proof {
    return new Proof(
      (text) => this.#announce(name, text),
      () => subscriber.close(),
      this.#host.proofEvery ?? PROOF_EVERY,
    );
  }

  async #announce(channel: string, text: string): Promise<void> {
    const [reply] = await this.#host.publisher.pipeline([{ name: "PUBLISH", args: [channel, text] }]);
    if (reply instanceof RedisError) this.#denied(reply);
  }

  /** Somebody has to know what no attempt will change. Whether it is that. */
  #denied(error: unknown): boolean {
    // Clients of others have errors of their own, with the reply as their text.
    const reply = error instanceof Error && !(error instanceof RedisError) ? new RedisError(error.message) : error;
    if (!isRefusal(reply) || isTransient(reply) || this.#stop.signal.aborted) return false;
    for (const some of this.#members.values()) for (const { listener } of some) listener.denied?.(reply);
    return true;
  }

  #has(member: Member): boolean {
    return this.#members.get(keyOf(member.topic))?.has(member) ?? false;
  }

  /** Messages arrive for these, but for what was refused. */
  #heard(members: readonly Member[], refused: readonly RefusedTopic[]): void {
    const errors = new Map(refused.map(({ topic, error }) => [keyOf(topic), error]));
    for (const member of members) {
      if (!this.#has(member)) continue;
      const error = errors.get(keyOf(member.topic));
      if (!error) {
        member.ready();
        continue;
      }
      if (isTransient(error)) this.#tryLater(member);
      member.listener.refused?.(error);
    }
  }

  #tryLater(member: Member): void {
    this.#later.add(member);
    if (this.#laterTimer !== undefined) return;
    this.#laterTimer = setTimeout(() => {
      this.#laterTimer = undefined;
      for (const member of this.#later) if (this.#has(member) && !member.live) this.#joining.add(member);
      this.#later.clear();
      this.#flushSoon();
    }, AGAIN_IN);
    unref(this.#laterTimer);
  }

  /** What comes and goes in one tick is one command for each kind. */
  #flushSoon(): void {
    if (this.#flushing || !this.#proof) return;
    this.#flushing = true;
    queueMicrotask(async () => {
      try {
        while (this.#subscriber && (this.#leaving.size > 0 || this.#joining.size > 0)) {
          await this.#flush(this.#subscriber);
        }
      } catch {
        this.#subscriber?.close(); // all are subscribed again with the next connection
      } finally {
        this.#flushing = false;
      }
    });
  }

  async #flush(subscriber: Subscriber): Promise<void> {
    const leaving = [...this.#leaving.values()];
    this.#leaving.clear();
    const joining = [...this.#joining].filter((member) => this.#has(member));
    this.#joining.clear();
    if (leaving.length > 0) await this.#remove(subscriber, leaving);
    if (joining.length > 0) await this.#join(subscriber, joining);
  }

  /** Subscribes to more; a proof that comes back says that it is heard. */
  async #join(subscriber: Subscriber, joining: readonly Member[]): Promise<void> {
    const topics = topicsOf(joining);
    const proofTopic = proofTopicFor(topics[0]!);
    const { promise: proven, resolve } = Promise.withResolvers<void>();
    const refused: RefusedTopic[] = [];
    let proof: Proof | undefined;
    this.#proofs.set(proofTopic.name, () => {
      if (!proof) return;
      proof.stop();
      this.#proofs.delete(proofTopic.name);
      this.#heard(joining, refused);
      resolve();
    });
    try {
      refused.push(...await this.#subscribe(subscriber, [...topics, proofTopic]));
      proof = this.#prove(proofTopic, subscriber);
      await Promise.race([proven, subscriber.lost]);
      if (this.#subscriber === subscriber) await this.#remove(subscriber, [proofTopic]);
    } finally {
      proof?.stop();
    }
  }

  /** Where that is refused, messages go on to come, and nobody hears them. */
  async #remove(subscriber: Subscriber, topics: readonly Topic[]): Promise<void> {
    await subscriber.remove(topics).catch((error) => {
      if (!this.#denied(error)) throw error;
    });
  }

  /** Subscribes, unless that takes too long: one that is accepted and never answered would be waited for for ever. */
  async #subscribe(subscriber: Subscriber, topics: readonly Topic[]): Promise<RefusedTopic[]> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new UnavailableError("subscribe", "timeout")), SUBSCRIBED_WITHIN);
    const lost = subscriber.lost.then(() => {
      throw new UnavailableError("subscribe", "connection");
    });
    lost.catch(() => {});
    try {
      return await Promise.race([subscriber.add(topics), late, lost]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      unref(timer);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
  }
}

function keyOf({ kind, name }: Topic): string {
  return `${kind}:${name}`;
}

/** What they are subscribed to, each once. */
function topicsOf(members: readonly Member[]): Topic[] {
  return [...new Map(members.map(({ topic }) => [keyOf(topic), topic])).values()];
}

/** A channel of the same namespace, outside of what patterns of channels reach. */
function proofTopicFor({ name }: Topic): Topic {
  const end = name.indexOf(":");
  return { kind: "channel", name: `${end < 0 ? name : name.slice(0, end)}:~${crypto.randomUUID()}` };
}
