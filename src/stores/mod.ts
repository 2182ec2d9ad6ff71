/**
 * Larder as the store of other libraries: Keyv and cache-manager, unstorage (Nitro, Nuxt), better-auth,
 * express-session, the throttler of NestJS.
 *
 * @example Keyv
 * ```ts
 * import { connect } from "@larder/larder";
 * import { keyvStore } from "@larder/larder/stores";
 * import Keyv from "keyv";
 * import assert from "node:assert/strict";
 *
 * await using redis = await connect({ url: "memory:" });
 * const keyv = new Keyv({ store: keyvStore(redis) });
 * await keyv.set("greeting", "hello", 60_000);
 * assert.equal(await keyv.get("greeting"), "hello");
 * ```
 *
 * @module
 */
export * from "./express_session.ts";
export * from "./keyv.ts";
export * from "./secondary_storage.ts";
export * from "./throttler.ts";
export * from "./unstorage.ts";
