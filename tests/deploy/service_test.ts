import { assertEquals } from "@std/assert";
import { readUntil, startDeno } from "../examples/child.ts";
import { DeployedRedis, possible } from "./deployed_redis.ts";

const ROOT = new URL("../../", import.meta.url);
const STAND_INS = import.meta.resolve("@db/redis").includes("/tests/offline/");

/** The flags with which the image runs the service, with another file for the password and other addresses. */
async function flags(passwordFile: string, addresses: string[]): Promise<string[]> {
  const text = await Deno.readTextFile(new URL("Dockerfile", ROOT));
  const entryPoint = JSON.parse(/^ENTRYPOINT (\[[^\]]*\])/m.exec(text)![1]!.replaceAll("\\\n", "")) as string[];
  const found = entryPoint.filter((flag) => flag.startsWith("--allow-"));
  assertEquals(found.map((flag) => flag.split("=")[0]), ["--allow-env", "--allow-read"]);
  // The stand-in for @db/redis looks through the whole environment.
  const env = STAND_INS ? ["--import-map=tests/offline/import_map.json", "--allow-env"] : [found[0]!];
  return ["--no-prompt", ...env, `--allow-read=${passwordFile}`, `--allow-net=${addresses.join(",")}`];
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A request and its answer: the status, the body, the cookie. */
async function ask(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init);
  const cookie = response.headers.get("set-cookie")?.split(";")[0];
  return {
    status: response.status,
    body: await response.json(),
    cookie,
    connection: response.headers.get("connection"),
  };
}

Deno.test({
  name: "The service runs with the permissions of its image, and ends without a lost request",
  ignore: !possible,
  async fn() {
    await using redis = await DeployedRedis.start();
    const passwordFile = await Deno.makeTempFile({ prefix: "larder-deploy-" });
    await Deno.writeTextFile(passwordFile, `${redis.options.password}\n`);
    const [port, address] = [freePort(), `${redis.server.hostname}:${redis.server.port}`];
    const env = {
      HOST: "127.0.0.1",
      PORT: String(port),
      DRAIN: "1s",
      REDIS_URL: `redis://${address}`,
      REDIS_USERNAME: redis.options.username,
      REDIS_PASSWORD_FILE: passwordFile,
    };
    const allowed = await flags(passwordFile, [`127.0.0.1:${port}`, address]);
    const child = startDeno(["run", "--no-check", ...allowed, "examples/service/main.ts"], { env });
    const errors = new Response(child.stderr).text();
    try {
      await readUntil(/"type":"listening"/, child.stdout);
      const base = `http://127.0.0.1:${port}`;
      assertEquals((await ask(`${base}/health?ready`)).body.status, "ok");
      const product = await ask(`${base}/products/101`);
      assertEquals(product.body.product.id, 101);
      assertEquals((await ask(`${base}/products/101`)).body.at, product.body.at); // from the cache
      assertEquals((await ask(`${base}/products/99999`)).status, 404);
      const login = (password: string) =>
        ask(`${base}/login`, { method: "POST", body: JSON.stringify({ user: "ada", password }) });
      assertEquals((await login("wrong")).status, 401);
      const { cookie } = await login("open sesame");
      const whoAmI = () => ask(`${base}/whoami`, { headers: { cookie: cookie! } });
      assertEquals((await whoAmI()).body.user, "ada");

      child.kill("SIGTERM");
      let ready = 200;
      while (ready === 200) ready = (await ask(`${base}/health?ready`)).status;
      assertEquals(ready, 503);
      assertEquals((await ask(`${base}/health`)).status, 200); // it works, and is not to be killed
      const last = await whoAmI();
      assertEquals([last.status, last.connection], [200, "close"]);
      await readUntil(/"type":"stopped"/, child.stdout);
      assertEquals((await child.status).code, 0, await errors);
      assertEquals(await redis.refused(), []);
    } finally {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
      await child.status;
      await child.stdout.cancel();
      await errors;
      await Deno.remove(passwordFile);
    }
  },
});
