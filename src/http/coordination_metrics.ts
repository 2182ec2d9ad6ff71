import type { LockStats } from "../locks/stats.ts";
import type { PubSubStats } from "../pubsub/stats.ts";
import type { StreamStats } from "../streams/stats.ts";
import { counter, gauge, labelled, type MetricFamily } from "./metric_family.ts";

/** Locks, and what is run by them. */
export function lockFamilies(stats: LockStats | undefined): MetricFamily[] {
  if (!stats) return [];
  return [
    counter("larder_lock_acquired", "Locks and permits that were acquired", stats.acquired),
    counter("larder_lock_waited", "Locks and permits for which somebody stood in line", stats.waited),
    {
      ...counter("larder_lock_wait_seconds", "Time that was spent in line by all together", stats.waitSeconds),
      unit: "seconds",
    },
    counter("larder_lock_timeouts", "Locks and permits that were not free in time", stats.timedOut),
    counter("larder_lock_busy", "Locks and permits that were not free, and were not waited for", stats.busy),
    counter("larder_lock_lost", "Locks and permits that were lost while they were held", stats.lost),
    gauge("larder_lock_held", "Locks and permits that are held", stats.held),
    gauge("larder_lock_waiting", "Those who wait for a lock or a permit", stats.waiting),
    labelled("larder_idempotent_calls", "Calls of what is done once by how they ended", "result", stats.idempotent),
    labelled("larder_once_calls", "Calls of what is done from time to time by how they ended", "result", stats.once),
  ];
}

/** Channels. */
export function channelFamilies(stats: PubSubStats | undefined): MetricFamily[] {
  if (!stats) return [];
  return [
    counter("larder_channel_published", "Messages that were published on channels", stats.published),
    counter("larder_channel_received", "Messages of channels that arrived", stats.received),
    counter("larder_channel_dropped", "Messages of channels that were dropped, a loop being slow", stats.dropped),
    counter("larder_channel_refused", "Messages of channels that did not fit their schema", stats.refused),
    counter("larder_channel_gaps", "Times when messages of a channel may have been missed", stats.gaps),
    gauge("larder_channel_subscriptions", "Subscriptions to channels", stats.subscriptions),
    gauge("larder_channel_waiting", "Messages of channels that wait for their loops", stats.waiting),
  ];
}

/** Streams. */
export function streamFamilies(stats: StreamStats | undefined): MetricFamily[] {
  if (!stats) return [];
  return [
    counter("larder_stream_added", "Messages that were added to streams", stats.added),
    counter("larder_stream_handled", "Messages of streams that were acknowledged", stats.handled),
    counter("larder_stream_retried", "Times when a message of a stream was put off", stats.retried),
    counter("larder_stream_dead", "Messages of streams that were given up", stats.dead),
    counter("larder_stream_refused", "Messages of streams that did not fit their schema", stats.refused),
    counter("larder_stream_claimed", "Messages of streams that were taken over from others", stats.claimed),
    counter("larder_stream_lost", "Messages of streams that were lost to others", stats.lost),
    counter("larder_stream_gaps", "Times when messages of a stream were missing", stats.gaps),
    gauge("larder_stream_consumers", "Consumers of streams", stats.consumers),
    gauge("larder_stream_pending", "Messages of streams in hand", stats.pending),
  ];
}
