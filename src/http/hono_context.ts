/** The part of Hono's context that is used. */
export interface HonoContextLike {
  /** The request. */
  readonly req: { raw: Request; readonly path?: string };
  /** What the server tells of the connection, on Deno, Node and Bun. */
  readonly env?: unknown;
  /** What middleware tells of the request, for the types of {@linkcode SessionEnv}. */
  readonly var?: unknown;
  /** The response. */
  res: Response;
  /** Makes a response with the headers that were set before. */
  newResponse?(body: ReadableStream<Uint8Array> | null, init: Response): Response;
}
