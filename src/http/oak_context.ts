import type { OakResponseLike } from "./oak_response.ts";

/** The part of Oak's context that is used. */
export interface OakContextLike {
  /** The request. */
  readonly request: {
    readonly method: string;
    readonly url: URL;
    readonly headers: Headers;
    readonly source?: unknown;
    readonly originalRequest?: { readonly remoteAddr?: string | undefined; readonly url?: string };
    readonly ip?: string;
    readonly ips?: readonly string[];
  };
  /** The app. */
  readonly app?: unknown;
  /** The response. */
  readonly response: {
    readonly headers?: Headers;
    toDomResponse(): Promise<OakResponseLike>;
    with(body: ReadableStream<Uint8Array> | null, init: { status: number; headers: Headers }): void;
  };
}
