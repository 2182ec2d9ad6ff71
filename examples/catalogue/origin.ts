import type { Product } from "./product.ts";

/**
 * The slow system behind the catalogue: an HTTP server on loopback that takes its time for every answer, counts its
 * calls and can be made to fail.
 *
 * `GET /products/:id` · `PUT /products/:id` with `{ "price": 9.5 }` · `GET /categories/:name` · `GET /stock/:id`
 */
export class Origin implements AsyncDisposable {
  /** Milliseconds that it takes to answer. */
  readonly delay: number;
  /** Whether it answers with 503, as if its database were gone. */
  failing = false;
  /** How many requests it got. */
  calls = 0;
  readonly #products: Map<number, Product>;
  readonly #end = new AbortController();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(products: readonly Product[], delay = 50) {
    this.delay = delay;
    this.#products = new Map(products.map((product) => [product.id, product]));
    const options = { hostname: "127.0.0.1", port: 0, signal: this.#end.signal, onListen() {} };
    this.#server = Deno.serve(options, (request) => this.#answer(request));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Changes a product behind everybody's back. */
  change(id: number, change: Partial<Omit<Product, "id">>): void {
    Object.assign(this.#products.get(id)!, change);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Whoever still waits for an answer, or keeps a connection for the next one, has gone: nobody is waited for.
    this.#end.abort();
    await this.#server.finished;
  }

  async #answer(request: Request): Promise<Response> {
    this.calls++;
    // As with a database: what is read is how things are now, and takes its time to arrive.
    const response = this.failing ? new Response("The database is gone", { status: 503 }) : await this.#read(request);
    await new Promise((resolve) => setTimeout(resolve, this.delay));
    return response;
  }

  async #read(request: Request): Promise<Response> {
    const [, what, name = ""] = new URL(request.url).pathname.split("/");
    if (what === "categories") {
      const products = [...this.#products.values()].filter(({ category }) => category === name);
      return products.length > 0 ? Response.json(products) : new Response("No such category", { status: 404 });
    }
    const product = this.#products.get(Number(name));
    if (!product) return new Response("No such product", { status: 404 });
    if (request.method === "PUT") this.change(product.id, { price: (await request.json()).price });
    return Response.json(what === "stock" ? product.stock : product);
  }
}
