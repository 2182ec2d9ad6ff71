import type { SessionData } from "../sessions/session.ts";

/** What a service says of the types of its data, once, in `connect<…>()`. */
export interface LarderTypes {
  /** The fields of the data of sessions. */
  session?: object;
  /** The names of rate limits that are defined later. Those in the options are found by themselves. */
  limit?: string;
}

/** The names of rate limits that are defined later. */
export type LimitNamesOf<Types extends LarderTypes> = Types extends { limit: infer Names extends string } ? Names
  : never;

/** The fields of the data of sessions. */
export type SessionDataOf<Types extends LarderTypes> = Types extends { session: infer Data extends object } ? Data
  : SessionData;

/**
 * Types of the data in which those of sessions are what their schema says.
 *
 * @typeParam Types The types as they were stated.
 * @typeParam Data The fields of the data of sessions.
 */
export type TypesWith<Types extends LarderTypes, Data extends object> = [Data, SessionDataOf<Types>] extends
  [SessionDataOf<Types>, Data] ? Types : { session: Data };
