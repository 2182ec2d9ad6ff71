import { Application } from "@oakserver/oak";

/** A response as Oak's package for npm makes it, on any runtime. */
interface Made {
  readonly status: number;
  readonly headers: Iterable<[string, string]>;
  readonly body: ReadableStream<Uint8Array> | null;
}

/** A request of `Deno.serve`, as Oak's own server for Deno hands it to the app. */
class NativeRequest {
  readonly remoteAddr: string;
  readonly request: Request;
  readonly #response = Promise.withResolvers<Response>();

  constructor(request: Request, { remoteAddr }: Deno.ServeHandlerInfo<Deno.NetAddr>) {
    this.request = request;
    this.remoteAddr = remoteAddr.hostname;
  }

  get response(): Promise<Response> {
    return this.#response.promise;
  }

  get headers(): Headers {
    return this.request.headers;
  }

  get method(): string {
    return this.request.method;
  }

  get rawUrl(): string {
    return this.request.url;
  }

  get url(): string {
    return this.request.url.replace(new URL(this.request.url).origin, "");
  }

  getBody(): ReadableStream<Uint8Array> | null {
    return this.request.body;
  }

  error(reason: unknown): void {
    this.#response.reject(reason);
  }

  respond({ status, headers, body }: Made): void {
    this.#response.resolve(new Response(body, { status, headers: [...headers] }));
  }

  upgrade(options?: Deno.UpgradeWebSocketOptions): WebSocket {
    const { response, socket } = Deno.upgradeWebSocket(this.request, options);
    this.#response.resolve(response);
    return socket;
  }
}

/** Oak's server for Deno, which its package for npm leaves out. */
class NativeServer {
  readonly #requests = new TransformStream<NativeRequest, NativeRequest>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(_app: unknown, { hostname, signal }: { hostname?: string; signal?: AbortSignal }) {
    const writer = this.#requests.writable.getWriter();
    this.#server = Deno.serve({ hostname: hostname ?? "127.0.0.1", port: 0, onListen() {} }, (request, info) => {
      const native = new NativeRequest(request, info);
      writer.write(native).catch(native.error);
      return native.response;
    });
    signal?.addEventListener("abort", () => this.#server.shutdown().then(() => writer.close()), { once: true });
  }

  listen(): { addr: Deno.NetAddr } {
    return { addr: this.#server.addr };
  }

  close(): void {}

  [Symbol.asyncIterator](): AsyncIterator<NativeRequest> {
    return this.#requests.readable[Symbol.asyncIterator]();
  }
}

/** An app that listens by `Deno.serve`. */
export function application(options: object = {}): Application {
  return new Application({ logErrors: false, serverConstructor: NativeServer as never, ...options });
}

/** Has an app listen, on a free port. */
export async function listen(app: Application): Promise<{ port: number; url: string } & AsyncDisposable> {
  const stop = new AbortController();
  const { promise: open, resolve } = Promise.withResolvers<number>();
  app.addEventListener("listen", ({ port }) => resolve(port));
  const done = app.listen({ hostname: "127.0.0.1", port: 0, signal: stop.signal });
  const port = await open;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await done;
    },
  };
}
