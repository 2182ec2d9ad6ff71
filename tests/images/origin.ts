import { Cache, MemoryStore } from "../../src/cache/mod.ts";
import { httpSource, Images } from "../../src/images/mod.ts";
import { ManualClock } from "../../src/testing/mod.ts";

/** A server that answers from a table, and keeps what it was asked. */
export class Origin implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly headers: Headers[] = [];
  answer: (request: Request, path: string) => Response | Promise<Response> = () => new Response(null, { status: 404 });
  readonly #stop = new AbortController();
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: this.#stop.signal, onListen() {} },
    (request) => {
      const path = new URL(request.url).pathname;
      const condition = request.headers.get("if-none-match") ?? request.headers.get("if-modified-since");
      this.requests.push(`${request.method} ${path}${condition === null ? "" : ` ${condition}`}`);
      this.headers.push(request.headers);
      return this.answer(request, path);
    },
  );

  get host(): string {
    return `127.0.0.1:${this.#server.addr.port}`;
  }

  asked(): string[] {
    return this.requests.splice(0);
  }

  /** Ends at once: on Deno 2.1 shutdown() waits for minutes for who has stopped reading. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    return this.#server.finished;
  }
}

/** Answers as a server of files does, with conditions. */
export function file(bytes: Uint8Array<ArrayBuffer>, headers: Record<string, string>): (request: Request) => Response {
  return (request) => {
    const { etag, "last-modified": modified } = headers;
    const known = request.headers.get("if-none-match") === (etag ?? null) && etag !== undefined ||
      request.headers.get("if-modified-since") === (modified ?? null) && modified !== undefined;
    if (known) return new Response(null, { status: 304, headers });
    const length = { "content-length": String(bytes.length) };
    return new Response(request.method === "HEAD" ? null : bytes, { headers: { ...headers, ...length } });
  };
}

/** Images of an origin, on a clock of their own. */
export function images(origin: Origin, options: Partial<Parameters<typeof httpSource>[0]> = {}): {
  clock: ManualClock;
  cache: Cache;
  images: Images;
} {
  const clock = new ManualClock();
  const cache = new Cache(new MemoryStore({ now: clock.now }));
  const source = httpSource({ base: `http://${origin.host}/i/`, hosts: [origin.host], ...options });
  return { clock, cache, images: new Images(cache, { source }, { now: clock.now }) };
}
