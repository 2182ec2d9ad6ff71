import type { Subscription, SubscriptionKind, SubscriptionListener } from "../client.ts";
import { type ShardedHost, ShardedSubscription } from "./sharded_subscription.ts";
import { type ClusterHost, ClusterSubscription } from "./subscription.ts";

/** A subscription that follows a cluster when it changes. */
export interface FollowingSubscription extends Subscription {
  /** Looks who owns what. */
  update(): void;
}

/** Subscribes on the nodes of a cluster: on all masters, or to a sharded channel on the one that owns its slot. */
export function subscribeOnCluster(
  channel: string,
  listener: SubscriptionListener,
  kind: SubscriptionKind | undefined,
  host: ClusterHost & ShardedHost,
): FollowingSubscription {
  return kind === "sharded"
    ? new ShardedSubscription(channel, listener, host)
    : new ClusterSubscription(channel, listener, host, kind);
}
