import { assertEquals, assertStringIncludes } from "@std/assert";
import { runDeno } from "../examples/child.ts";

/** A service that knows where images are. */
const app = (root: string, name: string) => `
  import { connect } from "@larder/larder";
  await using redis = await connect({ url: "memory:", images: { root: ${JSON.stringify(root)} } });
  const { width, type } = await redis.cache.getImageInfo(${JSON.stringify(name)});
  const response = await redis.cache.serveImage(new Request("http://localhost/"), ${JSON.stringify(name)});
  console.log(width, type, (await response.arrayBuffer()).byteLength > 0, await redis.cache.warmImages() !== undefined);
`;

const ROOT = "tests/images/fixtures";

Deno.test("Permissions: a folder of images needs to be readable, and nothing else does", async (t) => {
  await t.step("with it, and a relative root", async () => {
    const { output, errors } = await runDeno(["run", "--no-prompt", `--allow-read=${ROOT}`, "-"], {
      input: app(ROOT, "png.png"),
    });
    assertEquals(output, "47 image/png true true\n", errors);
  });

  await t.step("without it, the error is that of Deno", async () => {
    const { code, errors } = await runDeno(["run", "--no-prompt", "-"], { input: app(ROOT, "png.png") });
    assertEquals(code, 1);
    assertStringIncludes(errors, "--allow-read");
  });
});
