/**
 * Larder's cache as the store of other libraries: Keyv and cache-manager, unstorage (Nitro, Nuxt), better-auth.
 *
 * @example Keyv
 * ```ts ignore
 * import { connect } from "@larder/larder";
 * import { keyvStore } from "@larder/larder/stores";
 * import Keyv from "keyv";
 *
 * const redis = await connect();
 * const keyv = new Keyv({ store: keyvStore(redis) });
 * await keyv.set("greeting", "hello", 60_000);
 * ```
 *
 * @module
 */
export * from "./keyv.ts";
export * from "./secondary_storage.ts";
export * from "./unstorage.ts";
