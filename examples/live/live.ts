import { healthHandler, metricsHandler } from "@larder/larder/http";
import type { Larder, LarderEvent } from "@larder/larder";
import type { Origin } from "../catalogue/origin.ts";
import type { Product } from "../catalogue/product.ts";
import type { Routes } from "../service/router.ts";
import type { Catalogue } from "../catalogue/service.ts";
import { accountRoutes, type Login } from "./accounts.ts";
import { aisleRoutes } from "./aisles.ts";
import { Feed, type Message } from "./feed.ts";
import { galleryRoutes } from "./gallery.ts";
import { Journal } from "./journal.ts";
import { limitRoutes } from "./limits.ts";
import { Monitor } from "./monitor.ts";
import { page } from "./page.ts";
import { Readers } from "./readers.ts";
import { Shelf } from "./shelf.ts";

/** What the page shows. */
export interface LiveScene {
  redis: Larder<{ session: Login }>;
  catalogue: Catalogue;
  origin: Origin;
  products: readonly Product[];
}

/** Milliseconds for which what happened is gathered before it is sent. */
const GATHER = 250;

/** The page and all that feeds it. Works only while somebody watches. */
export class Live {
  readonly #scene: LiveScene;
  readonly #feed = new Feed();
  readonly #shelf: Shelf;
  readonly #journal = new Journal();
  readonly #readers: Readers;
  readonly #monitor: Monitor;
  #imagesRead = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(scene: LiveScene) {
    const { redis, catalogue, origin, products } = scene;
    this.#scene = scene;
    this.#shelf = new Shelf(products);
    this.#readers = new Readers(catalogue, products.map(({ id }) => id));
    this.#monitor = new Monitor(redis, origin, this.#readers, {
      sample: (sample) => this.#feed.send("sample", sample),
      health: (health) => this.#feed.send("health", health),
    });
    this.#feed.onWatched = (watched) => watched ? this.#start() : this.#stop();
  }

  /** Takes an event of Larder. */
  see(event: LarderEvent): void {
    this.#shelf.see(event);
    this.#journal.see(event);
    if (event.type === "cache.load" && event.key.startsWith("image:")) this.#imagesRead++;
    if (this.#timer === undefined) return;
    if (event.type.startsWith("redis.")) void this.#monitor.check();
    if (/^session\.(create|destroy|evict|revoke|regenerate)$/.test(event.type)) this.#feed.send("changed", "sessions");
  }

  /** What there is to ask for. */
  async routes(): Promise<Routes> {
    const { redis, products } = this.#scene;
    const limitsChanged = () => this.#feed.send("changed", "limits");
    const health = healthHandler(redis);
    const metrics = metricsHandler(redis);
    return {
      "GET /": await page(),
      "GET /live/feed": () => this.#feed.open(this.#hello()),
      ...aisleRoutes({
        cache: redis.cache,
        readers: this.#readers,
        products,
        loadsOf: (id) => this.#shelf.loadsOf(id),
        onPause: (paused) => this.#feed.send("readers", { paused }),
      }),
      ...limitRoutes(redis.rateLimit, limitsChanged),
      ...accountRoutes(redis, limitsChanged),
      ...galleryRoutes(redis.cache, () => this.#imagesRead),
      "GET /health": (_, request, info) => health(request, info),
      "GET /metrics": (_, request) => metrics(request),
    };
  }

  /** Ends all watching. */
  close(): void {
    this.#feed.close();
    this.#stop();
  }

  #start(): void {
    this.#readers.start();
    this.#monitor.start();
    this.#timer = setInterval(() => this.#send(), GATHER);
  }

  #stop(): void {
    this.#readers.stop();
    this.#monitor.stop();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #send(): void {
    const shelf = this.#shelf.take();
    if (shelf.length > 0) this.#feed.send("shelf", shelf);
    const journal = this.#journal.take();
    if (journal) this.#feed.send("journal", journal);
  }

  #hello(): Message[] {
    const { redis, origin, products } = this.#scene;
    const { health, samples } = this.#monitor;
    return [
      ["hello", {
        store: redis.store,
        delay: origin.delay,
        products: products.map(({ id, name, category }) => ({ id, name, category })),
        samples,
        paused: this.#readers.paused,
      }],
      ["shelf", this.#shelf.all()],
      ["journal", this.#journal.all()],
      ...(health ? [["health", health] as const] : []),
    ];
  }
}
