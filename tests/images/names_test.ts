import { assert, assertEquals, assertRejects } from "@std/assert";
import { Cache, MemoryStore } from "../../src/cache/mod.ts";
import { fileSource, imageNameOf, Images, NotFoundError } from "../../src/images/mod.ts";
import { Bed, fixture, FIXTURES, Folder, makeSpecial } from "./support.ts";

/** Names that mean, or could be taken to mean, something outside the root. */
const ATTACKS = [
  ..."/etc/passwd|//etc/passwd|\\etc\\passwd|C:\\secret.png|c:/secret.png|c:secret.png".split("|"),
  ..."..|../secret.png|a/../../secret.png|a/..|./a.png|a/./b.png|a//b.png|a/|.|...|a/ /b.png|../".split("|"),
  ..."..\\secret.png|a\\..\\..\\secret.png|a/..\\..\\secret.png|\\\\host\\share\\a.png".split("|"),
  ..."%2e%2e/secret.png|%2E%2E%2Fsecret.png|..%2fsecret.png|a%5c..%5csecret.png|%252e%252e%252fsecret.png".split("|"),
  ..."%00.png|a%2500.png|secret.png%00.png".split("|"),
  "a.png\0.txt",
  "a\0",
  "a\n.png",
  "a\x7f.png",
  "a\x85.png",
  "\ud800.png",
  "",
  " ",
  "nul.png",
  ..."CON |con .png|COM1.tar.png|com¹.png|LPT²|CONIN$|conout$.png|aux .x/a.png".split("|"),
  "a/CON",
  "a".repeat(401),
  "é".repeat(201),
  "x".repeat(10_000),
  "../".repeat(10_000),
  "a/".repeat(40) + "b.png",
];

Deno.test("Images refuses names that could leave the root, before the source hears of them", async () => {
  await using bed = new Bed();
  for (const name of ATTACKS) {
    await assertRejects(() => bed.images.get(name), RangeError, "Cannot read image info: wanted a name");
    await assertRejects(() => bed.images.getMany(["a.png", name]), RangeError);
    if (name !== "" && name !== "a/") await assertRejects(() => bed.images.invalidate(name), RangeError);
    const response = await bed.images.serve(new Request("http://localhost/"), name);
    assertEquals([response.status, await response.text()], [404, "Not Found\n"]);
  }
  for (const name of [undefined, null, 1, {}, ["a.png"], new URL("file:///etc/passwd")]) {
    await assertRejects(() => bed.images.get(name as string), TypeError);
  }
  assertEquals(bed.source.counts(), [0, 0]);
});

Deno.test("Images takes names that are only unusual", async () => {
  await using folder = await Folder.make();
  const png = await fixture("png.png");
  const names = [
    ..."a b.png|100%.png|50%25.png|é.png|日本/ロゴ.png|a..b.png|..a.png|a.b/c.d.png|-rf.png|*?[].png|{ns}:x.png|@.png|#.png|console.png"
      .split("|"),
    "😀.png",
    `${"a".repeat(200)}/${"b".repeat(190)}.png`,
  ];
  for (const name of names) await folder.write(name, png);
  await using cache = new Cache(new MemoryStore());
  const images = new Images(cache, { root: folder.path });
  for (const name of names) assertEquals((await images.get(name)).width, 47, name);
  assertEquals((await images.warm("", { concurrency: 3 })).stored, names.length);
  for (const name of names) await images.invalidate(name);
});

Deno.test("fileSource() gives nothing from outside the root, and nothing but files", async (t) => {
  await using outside = await Folder.make({ "secret.png": await fixture("png.png") });
  await using folder = await Folder.make({ "in/a.png": await fixture("png.png"), "b.png": await fixture("gif.gif") });
  const root = folder.path;
  await using cache = new Cache(new MemoryStore());
  const images = new Images(cache, { root, revalidateAfter: 0 });
  const gone = (name: string) => assertRejects(() => images.get(name), NotFoundError, "Cannot find image");

  await t.step("symbolic links that lead outside", async () => {
    await makeSpecial({
      [`${root}/absolute.png`]: `${outside.path}/secret.png`,
      [`${root}/relative.png`]: `../${outside.path.split("/").pop()}/secret.png`,
      [`${root}/folder`]: outside.path,
      [`${root}/chain.png`]: "absolute.png",
      [`${root}/dotted.png`]: "in/../../x/../secret.png",
      [`${root}/prefix.png`]: `${root}x/secret.png`,
      [`${root}/loop.png`]: "loop.png",
      [`${root}/broken.png`]: "nowhere.png",
      [`${root}/passwd.png`]: "/etc/passwd",
      [`${root}/proc`]: "/proc/self/root",
    });
    for (const name of ["absolute", "relative", "chain", "dotted", "prefix", "loop", "broken", "passwd"]) {
      await gone(`${name}.png`);
    }
    await gone("folder/secret.png");
    await gone("proc/etc/passwd");
  });

  await t.step("symbolic links that stay inside are followed", async () => {
    await makeSpecial({
      [`${root}/again`]: "in",
      [`${root}/in/up.png`]: "../b.png",
      [`${root}/full.png`]: `${root}/in/a.png`,
    });
    assertEquals((await images.get("again/a.png")).type, "image/png");
    assertEquals((await images.get("in/up.png")).type, "image/gif");
    assertEquals((await images.get("again/up.png")).type, "image/gif");
    assertEquals((await images.get("full.png")).type, "image/png");
  });

  await t.step("a root that is a link, as deployments have it", async () => {
    await makeSpecial({
      [`${outside.path}/current`]: root,
    });
    const linked = new Images(cache, { root: `${outside.path}/current/`, revalidateAfter: 0 });
    assertEquals((await linked.get("in/a.png")).type, "image/png");
    assertEquals((await linked.get("full.png")).type, "image/png");
    await assertRejects(() => linked.get("absolute.png"), NotFoundError);
  });

  await t.step("folders, FIFOs, devices, files as folders, long names", async () => {
    await Deno.mkdir(`${root}/folder.png`);
    await gone("folder.png");
    await gone("in");
    await gone("b.png/c.png");
    await gone("missing/a.png");
    await gone("n".repeat(300));
    await makeSpecial({ [`${root}/zero.png`]: "/dev/zero" }, [`${root}/fifo.png`]);
    await makeSpecial({}, [], [`${root}/socket.png`]);
    await gone("socket.png");
    assertEquals(await fileSource(root).open("socket.png"), undefined);
    await gone("zero.png");
    await gone("fifo.png");
    const opened = fileSource(root).open("fifo.png"); // would wait for a writer for ever
    assertEquals(await opened, undefined);
    const devices = new Images(cache, { root: "/dev", revalidateAfter: 0 });
    for (const name of ["zero", "null", "random", "tty"]) await assertRejects(() => devices.get(name), NotFoundError);
  });

  await t.step("list() gives the images inside only", async () => {
    const names = await Array.fromAsync(fileSource(root).list!(""));
    assertEquals(names.sort(), ["b.png", "full.png", "in/a.png", "in/up.png"]);
    assertEquals(await Array.fromAsync(fileSource(root).list!("in")), names.filter((name) => name.startsWith("in/")));
    assertEquals(await Array.fromAsync(fileSource(root).list!("folder")), []);
    assertEquals(await Array.fromAsync(fileSource(root).list!("nowhere")), []);
  });

  await t.step("what was there is gone when it becomes a link to the outside", async () => {
    await folder.write("c.png", await fixture("png.png"));
    assertEquals((await images.get("c.png")).width, 47);
    await Deno.remove(`${root}/c.png`);
    await makeSpecial({
      [`${root}/c.png`]: `${outside.path}/secret.png`,
    });
    await gone("c.png");
    assertEquals((await images.serve(new Request("http://localhost/"), "c.png")).status, 404);
  });
});

Deno.test("imageNameOf() decodes a path once, and what then is no name is a 404", async () => {
  assertEquals(imageNameOf("http://localhost/images/a%20b/c.png?v=1", "/images/"), "a b/c.png");
  assertEquals(imageNameOf(new URL("http://localhost/images/"), "/images/"), undefined);
  assertEquals(imageNameOf(new Request("http://localhost/other/a.png"), "/images/"), undefined);
  assertEquals(imageNameOf("http://localhost/images/%ff.png", "/images/"), undefined);
  await using cache = new Cache(new MemoryStore());
  const images = new Images(cache, { root: `${FIXTURES}..` });
  const paths = [
    ..."../support.ts|..%2fsupport.ts|..%2Fsupport.ts|%2e%2e/support.ts|%2e%2e%2fsupport.ts|..%5csupport.ts".split("|"),
    ..."%252e%252e%252fsupport.ts|fixtures%2f..%2f..%2fkeys_test.ts|%00|fixtures/png.png%00.txt|/etc/passwd".split("|"),
  ];
  for (const path of paths) {
    const request = new Request(`http://localhost/images/${path}`);
    assertEquals((await images.serve(request, imageNameOf(request, "/images/"))).status, 404, path);
  }
});

/** Puts links to the outside in the place of a file and of a folder, and back, until it is killed. */
const SWAP = `
  const [root, outside] = Deno.args;
  Deno.symlinkSync(outside + "/a.svg", root + "/link");
  Deno.symlinkSync(outside, root + "/folderlink");
  console.log("ready");
  // Now and then at once, now and then after a moment.
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const pause = () => Math.random() < 0.5 && Atomics.wait(cell, 0, 0, Math.random() * 4);
  for (;;) {
    Deno.renameSync(root + "/a.svg", root + "/kept");
    Deno.renameSync(root + "/link", root + "/a.svg");
    Deno.renameSync(root + "/x", root + "/folder");
    Deno.renameSync(root + "/folderlink", root + "/x");
    pause();
    Deno.renameSync(root + "/a.svg", root + "/link");
    Deno.renameSync(root + "/kept", root + "/a.svg");
    Deno.renameSync(root + "/x", root + "/folderlink");
    Deno.renameSync(root + "/folder", root + "/x");
    pause();
  }`;

Deno.test("fileSource() gives nothing from outside the root while links come and go in the way", async () => {
  const of = (width: number) => `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="5"/>`;
  await using outside = await Folder.make({ "a.svg": of(666) });
  await using folder = await Folder.make({ "a.svg": of(1), "x/a.svg": of(2) });
  await using cache = new Cache(new MemoryStore());
  const images = new Images(cache, { root: folder.path, revalidateAfter: 0 });
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", SWAP, folder.path, outside.path],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.stdout.getReader();
  await output.read();
  const seen: Record<string, number> = { 1: 0, 2: 0, NotFoundError: 0 };
  const end = performance.now() + 2500;
  try {
    // A machine that is busy gets further in its own time.
    while (performance.now() < end || Math.min(...Object.values(seen)) < 10) {
      for (const [name, width] of [["a.svg", 1], ["x/a.svg", 2]] as const) {
        const outcome = await images.get(name).then((info) => info.width, (error) => error.name as string);
        assert(outcome === width || outcome === "NotFoundError", `${name}: ${outcome}`);
        seen[outcome] = (seen[outcome] ?? 0) + 1;
        const response = await images.serve(new Request("http://localhost/"), name).catch(() => undefined);
        assert(!(await response?.text() ?? "").includes("666"));
      }
    }
  } finally {
    child.kill("SIGKILL");
    await child.status;
    await output.cancel();
  }
});
