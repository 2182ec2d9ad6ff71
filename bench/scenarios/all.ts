import type { Scenario } from "../scenario.ts";
import { COLD_KEY } from "./cold_key.ts";
import { CLEAR, INVALIDATE_TAG } from "./invalidation.ts";
import { IMAGE_INFO } from "./image_info.ts";
import { LOCAL_HIT } from "./local_hit.ts";
import { CHANNELS } from "./channels.ts";
import { LOCKS } from "./locks.ts";
import { MISS_256 } from "./miss.ts";
import { OPEN_LOOP } from "./open_loop.ts";
import { MEMORY_HIT } from "./memory_hit.ts";
import { METRICS_OVERHEAD } from "./metrics_overhead.ts";
import { RATE_LIMIT } from "./rate_limit.ts";
import { READ_HIT_1, READ_HIT_256, READ_HIT_64, READ_HIT_8, READ_HIT_INVALIDATED } from "./read_hit.ts";
import { READ_HIT_DELAYED } from "./read_hit_delayed.ts";
import { READ_HIT_SIZES } from "./read_hit_sizes.ts";
import { RESPONSE_HIT } from "./response_hit.ts";
import { SESSIONS_GET } from "./sessions_get.ts";
import { SERVER_COST } from "./server_cost.ts";
import { SEVERAL_PROCESSES } from "./several_processes.ts";
import { STREAMS } from "./streams.ts";
import { SHARED_FATE } from "./shared_fate.ts";
import { WARM_IMAGES } from "./warm_images.ts";
import { WRITE } from "./write.ts";

/** All that is measured, in the order of the table. */
export const SCENARIOS: readonly Scenario[] = [
  READ_HIT_64,
  READ_HIT_1,
  READ_HIT_8,
  READ_HIT_256,
  ...READ_HIT_SIZES,
  READ_HIT_INVALIDATED,
  READ_HIT_DELAYED,
  OPEN_LOOP,
  SEVERAL_PROCESSES,
  SERVER_COST,
  MEMORY_HIT,
  LOCAL_HIT,
  WRITE,
  MISS_256,
  METRICS_OVERHEAD,
  SESSIONS_GET,
  RESPONSE_HIT,
  INVALIDATE_TAG,
  CLEAR,
  COLD_KEY,
  IMAGE_INFO,
  WARM_IMAGES,
  RATE_LIMIT,
  LOCKS,
  CHANNELS,
  STREAMS,
  SHARED_FATE,
];
