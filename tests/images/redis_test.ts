import { assert, assertEquals, assertRejects } from "@std/assert";
import { ConfigError, connect, type ConnectOptions, type Larder, NotFoundError } from "../../mod.ts";
import { commandCounts, timesAsked } from "../support/open_cache.ts";
import { APP_RIGHTS } from "../support/app_rights.ts";
import { RedisServer } from "../support/redis_server.ts";
import { until } from "../support/until.ts";
import { fixture, FIXTURES, Folder, MemorySource } from "./support.ts";

const PNG = await fixture("png.png");
const GIF = await fixture("gif.gif");

/** Opens Larder on Redis as one more process would. */
async function open(server: RedisServer, options: ConnectOptions): Promise<Larder> {
  const larder = await connect({ url: server.url, commandTimeout: "10s", ...options });
  await larder.ready({ timeout: "10s" });
  return larder;
}

/** On Redis and on the embedded store. */
async function everywhere(
  t: Deno.TestContext,
  run: (open: (options: ConnectOptions) => Promise<Larder>) => Promise<void>,
): Promise<void> {
  await t.step("on the embedded store", () => run((options) => connect({ url: "memory:", ...options })));
  await t.step("on Redis", async () => {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    const namespace = `images-${crypto.randomUUID()}`;
    await run((options) => open(server, { namespace, ...options }));
  });
}

Deno.test("Larder.cache has metadata of images", async (t) => {
  await everywhere(t, async (open) => {
    await using folder = await Folder.make({ "logo.png": PNG, "x/a.gif": GIF });
    await using redis = await open({ images: { root: folder.path } });
    const { cache } = redis;
    const info = await cache.getImageInfo("logo.png");
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", PNG));
    assertEquals(info, {
      filename: "logo.png",
      size: PNG.length,
      type: "image/png",
      hash: Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join(""),
      timestamp: (await Deno.stat(`${folder.path}/logo.png`)).mtime!.getTime(),
      width: 47,
      height: 31,
      etag: info.etag,
    });
    assertEquals([...(await cache.getImageInfoMany(["logo.png", "x/a.gif", "b.png"])).keys()], ["logo.png", "x/a.gif"]);
    assertEquals(await cache.warmImages(), { stored: 2, failed: 0 });
    assertEquals((await cache.invalidateImage("logo.png")).status, "done");
    assertEquals((await cache.invalidateImage("x")).status, "done");
    const response = await cache.serveImage(new Request("http://localhost/"), "logo.png");
    assertEquals(new Uint8Array(await response.arrayBuffer()), PNG);
    await assertRejects(() => cache.getImageInfo("../secret.png"), RangeError);
    await assertRejects(() => cache.getImageInfo("b.png"), NotFoundError);
    // All else is still what it was.
    await cache.set("image", 1, { tags: ["image:x"] });
    assertEquals(await cache.get("image"), 1);
    assertEquals(await cache.namespace("v2").get("image"), undefined);
    const keys = (await Array.fromAsync(cache.inspect("image:*"))).map(({ key, tags }) => [key.split("@")[0], tags]);
    assertEquals(keys, [["image:logo.png", ["image", "image:logo.png"]]]);
  });
});

Deno.test("Larder.cache gives all fixtures the same from Redis as from the files", async () => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  const options = { namespace: `images-${crypto.randomUUID()}`, images: { root: FIXTURES } };
  await using one = await open(server, options);
  await using two = await open(server, options);
  const names = [...Deno.readDirSync(FIXTURES)].map(({ name }) => name).filter((name) => !name.endsWith(".json"));
  const read = await one.cache.getImageInfoMany(names);
  assertEquals(read.size, names.length);
  assertEquals(await two.cache.getImageInfoMany(names), read);
  assertEquals(await two.cache.getImageInfoMany(names), read); // from its copies
});

Deno.test("Larder.cache has an image read once by all processes, and looked at by each", async (t) => {
  await everywhere(t, async (open) => {
    const source = new MemorySource();
    source.put("a.png", PNG);
    await using one = await open({ images: { source } });
    await using two = one.store === "redis" ? await open({ images: { source } }) : await connect({ url: "memory:" });
    const caches = one.store === "redis" ? [one.cache, two.cache] : [one.cache];
    const callers = caches.flatMap((cache) => Array.from({ length: 500 }, () => cache.getImageInfo("a.png")));
    const infos = await Promise.all(callers);
    assert(infos.every(({ hash }) => hash === infos[0]!.hash));
    assertEquals(source.counts(), [caches.length, 1]);
  });
});

Deno.test("Larder.cache gives hits from the process: Redis is not asked", async () => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  const source = new MemorySource();
  source.put("a.png", PNG);
  const namespace = `images-${crypto.randomUUID()}`;
  await using redis = await open(server, { namespace, images: { source, revalidateAfter: "1h" } });
  await until(async () => {
    const before = await timesAsked(server);
    for (let i = 0; i < 100; i++) await redis.cache.getImageInfo("a.png");
    return await timesAsked(server) === before;
  }, "there is a copy");
  assertEquals(source.opened.length, 1);
  assert((await commandCounts(server)).subscribe! >= 1);
});

Deno.test("Larder.cache.invalidateImage() reaches other processes within a second", async (t) => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  const source = new MemorySource();
  const options = { namespace: `images-${crypto.randomUUID()}`, images: { source, revalidateAfter: "1h" } };
  await using one = await open(server, options);
  await using two = await open(server, options);
  const typeIn = async ({ cache }: Larder, name: string) => (await cache.getImageInfo(name)).type;
  for (const by of ["a name", "a folder", "a tag", "clear()"]) {
    await t.step(`by ${by}`, async () => {
      source.put("x/a.png", PNG);
      await one.cache.invalidateImage("x/a.png");
      await until(async () => await typeIn(two, "x/a.png") === "image/png", "both know it");
      for (let i = 0; i < 10; i++) {
        assertEquals([await typeIn(one, "x/a.png"), await typeIn(two, "x/a.png")], ["image/png", "image/png"]);
      }
      source.put("x/a.png", GIF);
      if (by === "a name") await one.cache.invalidateImage("x/a.png");
      else if (by === "a folder") await one.cache.invalidateImage("x");
      else if (by === "a tag") await one.cache.invalidateByTag("image:x");
      else await one.cache.clear();
      const since = performance.now();
      assertEquals(await typeIn(one, "x/a.png"), "image/gif");
      await until(async () => await typeIn(two, "x/a.png") === "image/gif", "the other knows it");
      assert(performance.now() - since < 1500, `${performance.now() - since} ms`);
    });
  }
});

Deno.test({
  name: "Larder.cache gives metadata while Redis is away",
  ignore: !RedisServer.controllable,
  async fn() {
    await using server = await RedisServer.start({ rights: APP_RIGHTS });
    const source = new MemorySource();
    source.put("a.png", PNG);
    await using redis = await open(server, { images: { source }, commandTimeout: "200ms" });
    const info = await redis.cache.getImageInfo("a.png");
    await server.kill();
    for (let i = 0; i < 5; i++) assertEquals(await redis.cache.getImageInfo("a.png"), info);
    assertEquals((await redis.cache.invalidateImage("a.png")).status, "queued");
    source.put("a.png", GIF);
    assertEquals((await redis.cache.getImageInfo("a.png")).type, "image/gif");
    await server.restart();
    await until(async () => (await redis.cache.getImageInfo("a.png")).type === "image/gif", "it goes on");
  },
});

Deno.test("connect() checks the options of images, and says where they are missing", async () => {
  await using plain = await connect({ url: "memory:" });
  const wanted = 'wanted the option "images" of connect(), got none';
  await assertRejects(() => plain.cache.getImageInfo("a.png"), TypeError, wanted);
  await assertRejects(() => plain.cache.invalidateImage("a.png"), TypeError, wanted);
  await assertRejects(() => plain.cache.warmImages(), TypeError, wanted);
  const refused = async (images: unknown, message: string) => {
    await assertRejects(() => connect({ url: "memory:", images: images as { root: string } }), ConfigError, message);
  };
  await refused({}, "Cannot use images: wanted either a root or a source");
  await refused({ root: "a", source: new MemorySource() }, "Cannot use images: wanted either a root or a source");
  await refused({ root: "" }, "Cannot use images.root: wanted the path of a folder");
  await refused({ root: "a", revalidateAfter: "soon" }, "Cannot use images.revalidateAfter");
  await refused({ root: "a", hash: "md5" }, 'Cannot use images.hash: wanted "sha-256"');
  await refused({ root: "a", rot: 1 }, 'an option that there is, such as "images.root"');
  await refused("public", "Cannot use images: wanted an object with options of images");
  await using fine = await connect({ url: "memory:", images: { root: new URL("./fixtures/", import.meta.url) } });
  assertEquals((await fine.cache.getImageInfo("png.png")).width, 47);
});

Deno.test("connect() with copies of everything has one set of them", async () => {
  await using server = await RedisServer.start({ rights: APP_RIGHTS });
  const namespace = `images-${crypto.randomUUID()}`;
  await using redis = await open(server, { namespace, cache: { local: true }, images: { root: FIXTURES } });
  await redis.cache.set("a", 1);
  for (let i = 0; i < 20; i++) {
    assertEquals(await redis.cache.get("a"), 1);
    assertEquals((await redis.cache.getImageInfo("png.png")).width, 47);
  }
  await redis.cache.clear();
  assertEquals(await redis.cache.get("a"), undefined);
  assertEquals((await redis.cache.getImageInfo("png.png")).width, 47);
});
