import type { Cache } from "../cache/cache.ts";
import { currentLoad } from "../web/current_load.ts";
import { headersFrom } from "../web/given_headers.ts";
import { knownOf, type NodeTaken, taking, withoutFront } from "./node_context.ts";
import { capture, type Captured, type NodeResponseLike } from "./node_response.ts";
import { send } from "./node_send.ts";
import type { NodeRequestLike } from "../web/node_request.ts";
import { currentVisitor } from "../web/visitor.ts";
import { ResponseCache } from "./response_cache.ts";
import { UnsharedResponseError } from "./response_errors.ts";
import type { CacheResponseOptions } from "./response_options.ts";

/** Has the app answer a request of a load, from the start: what is behind the cache is put into `taken`. */
export type Rerun = (request: Request, taken: NodeTaken) => Promise<void>;

/** The answer of a framework that keeps it until it is sent. */
export interface Reply {
  /** The headers that are set. */
  readonly headers: ReturnType<NodeResponseLike["getHeaders"]>;
  /** Sends a response that the handler has not made for this request. */
  readonly send: (response: Response) => void;
}

/** A cache of responses in front of what answers by `node:http`. */
export class NodeCache {
  readonly #cache: ResponseCache;

  constructor(redis: { readonly cache: Cache } | Cache, options: CacheResponseOptions) {
    this.#cache = new ResponseCache(redis, options);
  }

  /**
   * Answers a request.
   *
   * @param incoming The request.
   * @param outgoing The response.
   * @param next Has what is behind answer it.
   * @param reply The answer of the framework, where it has one of its own.
   * @param rerun Has the app answer another; without it a response is made anew only while somebody waits for it.
   */
  async answer(
    incoming: NodeRequestLike & object,
    outgoing: NodeResponseLike,
    next: () => void,
    rerun: Rerun | undefined,
    reply?: Reply,
  ): Promise<void> {
    const taken = taking.get(incoming);
    if (taken?.by === this) {
      taken.reached = true;
      const front = headersFrom(reply?.headers ?? outgoing.getHeaders());
      const { response, status, ended, restore } = capture(outgoing);
      taken.response = response.then((response) => {
        if (status() !== undefined) {
          throw new UnsharedResponseError(`Cannot share the response: its status is ${status()}`);
        }
        // They are told behind the body, of which a load has only that.
        if (response.headers.has("trailer")) {
          throw new UnsharedResponseError("Cannot share the response: it has trailers");
        }
        return withoutFront(response, front);
      });
      taken.response.catch(() => {});
      ended.then(() => {
        taken.watched?.end(); // a log in front may look who it was
        restore();
        outgoing.end(); // for who is in front, and waits for it
      });
      taken.come?.();
      return next();
    }
    const { request, info } = knownOf(incoming);
    const front = new Set(Object.keys(outgoing.getHeaders()));
    let ran = false;
    let captured: Captured | undefined;
    const behind = async () => {
      ran = true;
      captured = capture(outgoing);
      next();
      return await captured.response;
    };
    const gone = new AbortController();
    const hangUp = () => gone.abort();
    outgoing.on("close", hangUp);
    let response: Response | undefined;
    try {
      response = await this.#cache.answer(request, {
        next: behind,
        load: rerun ? (asked, foreground) => this.#load(rerun, asked, foreground ? incoming : undefined) : behind,
        once: !rerun,
        connection: info,
        hungUp: () => gone.signal,
      });
    } finally {
      outgoing.removeListener("close", hangUp);
      if (!response) captured?.restore();
    }
    if (!ran && reply) return reply.send(response);
    const keep = (name: string) => !ran && front.has(name) && !response.headers.has(name);
    // Where the handler ran for this one, its response has the headers of all.
    await send(outgoing, response, keep, captured);
  }

  async #load(rerun: Rerun, request: Request, visitor: object | undefined): Promise<Response> {
    const taken: NodeTaken = { by: this, visitor, load: currentLoad(request), watched: currentVisitor() };
    await rerun(request, taken);
    if (taken.response) return await taken.response;
    throw new UnsharedResponseError("Cannot share the response: who is in front answers nobody's request");
  }
}

/**
 * Whether a request is that of a load that has not come to its cache, so that what is in front was done for the
 * visitor.
 */
export function isOnItsWay(incoming: object): boolean {
  const taken = taking.get(incoming);
  return taken?.load !== undefined && !taken.reached && !taken.load.isOver();
}
