import type { EventListener } from "../observe/events.ts";

/** Said where a cluster has one bucket. */
export const ONE_BUCKET: string =
  'With "buckets: 1" all keys are in one slot of the cluster, so one node does all the work: ' +
  'wanted as many as there may be primaries, and more, such as "buckets: 16" in all processes';

let warned = false;

/** Says once that there is no Redis. */
export function warn(on: EventListener | undefined, hint: string | undefined): void {
  if (warned) return;
  warned = true;
  tell(
    on,
    "Nothing names a Redis (url, client, or REDIS_URL or REDIS_HOST, which need --allow-env): " +
      `the cache, sessions and rate limits live in this process only${hint === undefined ? "" : `; ${hint}`}`,
    ' Say url: "memory:" to choose that.',
  );
}

/** Tells something on the console where nobody listens. */
export function tell(on: EventListener | undefined, message: string, advice = ""): void {
  on?.({ type: "warning", message });
  // deno-lint-ignore no-console -- said once, and only to those who did not say who is to be told
  if (!on) console.warn(`Larder: ${message}.${advice}`);
}
