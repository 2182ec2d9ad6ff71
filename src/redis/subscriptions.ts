import { decoder } from "../util/utf8.ts";
import { reconnectDelay } from "./backoff.ts";
import { unref } from "../util/timers.ts";
import type { Subscription, SubscriptionListener } from "./client.ts";
import { clearTimeout, queueMicrotask, setTimeout } from "../util/real_timers.ts";
import { Proof } from "./proof.ts";

/** A connection that has subscribed. */
export interface Subscriber {
  /** Resolves when it is lost or closed. */
  readonly lost: Promise<void>;
  /** Subscribes to more channels, with one command. */
  add(channels: readonly string[]): Promise<unknown>;
  /** Leaves channels. */
  remove(channels: readonly string[]): Promise<unknown>;
  /** Closes it at once. */
  close(): void;
}

/** Takes a message. */
export type MessageListener = (channel: string, payload: Uint8Array) => void;

/** What subscriptions need of the client that made them. */
export interface SubscriptionHost {
  /** Opens a connection for subscriptions and subscribes there; gives it up when `signal` says so. */
  open(channels: readonly string[], message: MessageListener, signal: AbortSignal): Promise<Subscriber>;
  /** Publishes on a channel through another connection. */
  announce(channel: string, text: string): Promise<void>;
  /** How often the connection proves that messages still arrive, in milliseconds. @default {5000} */
  readonly proofEvery?: number;
}

const PROOF_EVERY = 5000;

/** How long opening a connection and subscribing on it may take, in milliseconds. */
export const SUBSCRIBED_WITHIN = 5000;

/**
 * All subscriptions of a client, on one connection: it is opened for the first of them, opened again, for ever, when it
 * is lost, and closed with the last. A private channel carries a proof of life through the server, since clients
 * neither tell when a subscription took effect nor when messages were lost.
 */
export class Subscriptions implements AsyncDisposable {
  readonly #host: SubscriptionHost;
  readonly #ending = new Set<Promise<void>>();
  #line: Line | undefined;

  constructor(host: SubscriptionHost) {
    this.#host = host;
  }

  /** Subscribes to a channel. */
  subscribe(channel: string, listener: SubscriptionListener): Subscription {
    const line = this.#line ??= new Line(this.#host);
    const member = new Member(channel, listener, line, () => {
      if (!line.empty) return;
      if (this.#line === line) this.#line = undefined;
      const ended = line.close();
      this.#ending.add(ended);
      return ended.finally(() => this.#ending.delete(ended));
    });
    line.add(member);
    return member;
  }

  /** Ends all. */
  async [Symbol.asyncDispose](): Promise<void> {
    const line = this.#line;
    this.#line = undefined;
    await Promise.all([line?.close(), ...this.#ending]);
  }
}

/** One subscription. */
class Member implements Subscription {
  readonly channel: string;
  readonly listener: SubscriptionListener;
  readonly #line: Line;
  readonly #left: () => Promise<void> | undefined;
  live = false;

  constructor(channel: string, listener: SubscriptionListener, line: Line, left: () => Promise<void> | undefined) {
    this.channel = channel;
    this.listener = listener;
    this.#line = line;
    this.#left = left;
  }

  async prove(): Promise<boolean> {
    return this.live && await this.#line.prove() && this.live;
  }

  ready(): void {
    if (this.live) return;
    this.live = true;
    this.listener.ready();
  }

  lost(): void {
    if (!this.live) return;
    this.live = false;
    this.listener.lost();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#line.remove(this);
    this.lost();
    await this.#left();
  }
}

/** The connection of all subscriptions, from the first of them to the last. */
class Line {
  readonly #host: SubscriptionHost;
  readonly #members = new Map<string, Set<Member>>();
  readonly #stop = new AbortController();
  /** Proofs by their channels: of the connection, and of channels that were added to it. */
  readonly #proofs = new Map<string, (sent: number) => void>();
  readonly #ended: Promise<void>;
  #subscriber: Subscriber | undefined;
  #proof: Proof | undefined;
  #joining: Member[] = [];
  #leaving = new Set<string>();
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
    const members = this.#members.get(member.channel);
    if (members) members.add(member);
    else this.#members.set(member.channel, new Set([member]));
    this.#leaving.delete(member.channel);
    this.#joining.push(member);
    this.#flushSoon();
  }

  remove(member: Member): void {
    const members = this.#members.get(member.channel);
    if (!members?.delete(member) || members.size > 0) return;
    this.#members.delete(member.channel);
    this.#leaving.add(member.channel);
    this.#flushSoon();
  }

  async prove(): Promise<boolean> {
    return await this.#proof?.prove() ?? false;
  }

  async close(): Promise<void> {
    if (!this.#stop.signal.aborted) {
      this.#stop.abort();
      this.#subscriber?.close();
      this.#wake?.();
    }
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    for (let attempt = 0; !signal.aborted;) {
      this.#joining = []; // they are among the members
      this.#leaving.clear();
      const members = [...this.#members.values()].flatMap((some) => [...some]);
      const channels = [...this.#members.keys()];
      const proofChannel = proofChannelOf(channels[0]!);
      let proof: Proof | undefined;
      this.#proofs.set(proofChannel, (sent) => {
        proof?.seen(sent);
        if (this.#proof === proof) return;
        attempt = 0;
        this.#proof = proof;
        for (const member of members) if (this.#has(member)) member.ready();
        this.#flushSoon();
      });
      try {
        const subscriber = await this.#host.open([...channels, proofChannel], this.#take, signal);
        if (signal.aborted) return subscriber.close();
        this.#subscriber = subscriber;
        proof = new Proof(
          (text) => this.#host.announce(proofChannel, text),
          () => subscriber.close(),
          this.#host.proofEvery ?? PROOF_EVERY,
        );
        await subscriber.lost;
      } catch {
        // Refused or not reached; the next attempt follows, for ever.
      } finally {
        proof?.stop();
        this.#proofs.clear();
        this.#subscriber = this.#proof = undefined;
        for (const some of this.#members.values()) for (const member of some) member.lost();
      }
      if (!signal.aborted) await this.#pause(reconnectDelay(attempt++));
    }
  }

  readonly #take: MessageListener = (channel, payload) => {
    if (this.#stop.signal.aborted) return;
    const members = this.#members.get(channel);
    if (members) { for (const member of [...members]) member.listener.message(payload); }
    else this.#proofs.get(channel)?.(Number(decoder.decode(payload)));
  };

  #has(member: Member): boolean {
    return this.#members.get(member.channel)?.has(member) ?? false;
  }

  /** What comes and goes in one tick is one command each. */
  #flushSoon(): void {
    if (this.#flushing || !this.#proof) return;
    this.#flushing = true;
    queueMicrotask(async () => {
      try {
        while (this.#subscriber && (this.#leaving.size > 0 || this.#joining.length > 0)) {
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
    const leaving = [...this.#leaving];
    this.#leaving.clear();
    const joining = this.#joining.splice(0).filter((member) => this.#has(member));
    if (leaving.length > 0) await subscriber.remove(leaving);
    if (joining.length > 0) await this.#join(subscriber, joining);
  }

  /** Subscribes to more channels; a proof that comes back says that they are heard. */
  async #join(subscriber: Subscriber, joining: readonly Member[]): Promise<void> {
    const channels = [...new Set(joining.map(({ channel }) => channel))];
    const proofChannel = proofChannelOf(channels[0]!);
    const { promise: proven, resolve } = Promise.withResolvers<void>();
    const proof = new Proof(
      (text) => this.#host.announce(proofChannel, text),
      () => subscriber.close(),
      this.#host.proofEvery ?? PROOF_EVERY,
    );
    this.#proofs.set(proofChannel, () => {
      proof.stop();
      this.#proofs.delete(proofChannel);
      for (const member of joining) if (this.#has(member)) member.ready();
      resolve();
    });
    try {
      await subscriber.add([...channels, proofChannel]);
      await Promise.race([proven, subscriber.lost]);
      if (this.#subscriber === subscriber) await subscriber.remove([proofChannel]);
    } finally {
      proof.stop();
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

function proofChannelOf(channel: string): string {
  return `${channel}:~${crypto.randomUUID()}`;
}
