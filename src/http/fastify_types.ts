// deno-lint-ignore-file no-explicit-any -- frameworks state their functions with types of their own
import type { NodeRequestLike } from "../web/node_request.ts";
import type { NodeResponseLike } from "./node_response.ts";

/** The part of Fastify's request that is used. */
export interface FastifyRequestLike {
  /** The request of `node:http`. */
  readonly raw: NodeRequestLike;
  /** The app. */
  readonly server: FastifyLike;
}

/** The part of Fastify's reply that is used. */
export interface FastifyReplyLike {
  /** The response of `node:http`. */
  readonly raw: NodeResponseLike;
  /** The headers that are set. */
  getHeaders(): { readonly [name: string]: number | string | string[] | undefined };
  /** Sets a header. */
  header(...args: any[]): unknown;
  /** Takes a header away. */
  removeHeader(...args: any[]): unknown;
  /** Sets the status. */
  code(...args: any[]): unknown;
  /** Answers. */
  send(...args: any[]): unknown;
}

/** The part of Fastify's app that is used. */
export interface FastifyLike {
  /** Adds a property to the app. */
  decorate(...args: any[]): unknown;
  /** Has a function called for each request. */
  addHook(...args: any[]): unknown;
  /** Adds a route. */
  get(...args: any[]): unknown;
  /** Answers a request without a connection. */
  inject(...args: any[]): unknown;
}

/** A hook of Fastify for `onRequest`. */
export type FastifyHook = (request: FastifyRequestLike, reply: FastifyReplyLike, done: (error?: Error) => void) => void;
