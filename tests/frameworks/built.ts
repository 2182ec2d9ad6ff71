/**
 * Apps of frameworks that are built, as their own tools build and serve them:
 * `deno task test tests/frameworks/built.ts`.
 * They need many packages, so that this is no part of all tests, and CI runs it by itself.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { NpmProject } from "../runtimes/npm_package.ts";
import { findProgram, testWith } from "../support/program.ts";
import { until } from "../support/until.ts";

/** An app, and the ways in which it is served. */
interface App {
  readonly name: string;
  readonly folder: string;
  /** The arguments with which Node.js builds it. */
  readonly build: readonly string[];
  /** Whether it is built anew to be behind Express. */
  readonly twice?: boolean;
  readonly alone: string;
  readonly behind: string;
  /** What else is looked at. */
  readonly more?: (url: string) => Promise<void>;
}

const APPS: readonly App[] = [
  {
    name: "SvelteKit 3",
    folder: "sveltekit",
    build: ["node_modules/vite/bin/vite.js", "build"],
    alone: "build/index.js",
    behind: "server.js",
    async more(url) {
      // What its pages ask for on the way to another is not what a browser asks for.
      const data = await ask(`${url}/pages/jam/__data.json`);
      assertEquals([data.status, JSON.parse(data.text).type], [200, "data"]);
      assertMatch((await ask(`${url}/pages/jam`)).text, /^<!doctype html>/);
    },
  },
  {
    name: "Astro 7",
    folder: "astro",
    build: ["node_modules/astro/bin/astro.mjs", "build"],
    twice: true,
    alone: "standalone/server/entry.mjs",
    behind: "server.js",
  },
];

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

function numberIn({ text }: Answer): number {
  return Number(/<p>bread (\d+)<\/p>/.exec(text.replaceAll(/<!--.*?-->/g, ""))?.[1]);
}

/** Looks whether a service has sessions, limits, pages that are made anew behind the scenes, health and metrics. */
async function check(url: string, { more }: App): Promise<void> {
  const first = await ask(`${url}/pages/bread`);
  assertEquals([first.status, numberIn(first), first.headers.get("x-cache")], [200, 1, "MISS"]);
  let stale = false;
  await until(async () => {
    await new Promise((resolve) => setTimeout(resolve, 60)); // requests are counted
    const answer = await ask(`${url}/pages/bread`);
    assertEquals(answer.status, 200, answer.text);
    stale ||= answer.headers.get("x-cache") === "STALE";
    return stale && numberIn(answer) > 1;
  }, "a page that is made anew");
  // What a page of another site can send without asking is refused by frameworks.
  const post = { method: "POST", headers: { "content-type": "application/json" } };
  const login = await ask(`${url}/login`, post);
  assertEquals([login.text, login.headers.getSetCookie().length], ["ada", 1]);
  assert(login.headers.has("ratelimit"));
  const cookie = login.headers.getSetCookie()[0]!.split(";")[0]!;
  assertEquals((await ask(`${url}/me`, { headers: { cookie } })).text, "ada");
  const nobody = await ask(`${url}/me`);
  assertEquals([nobody.text, nobody.headers.getSetCookie()], ["nobody", []]);
  const known = await ask(`${url}/pages/bread`, { headers: { cookie } });
  assertEquals([known.status, known.headers.get("x-cache")], [200, "BYPASS"]);
  const statuses: number[] = [];
  for (let i = 0; i < 5; i++) statuses.push((await ask(`${url}/login`, post)).status);
  assertEquals(statuses, [200, 200, 200, 200, 429]);
  assertEquals((await ask(`${url}/nothing`)).status, 404);
  await more?.(url);
  const health = await ask(`${url}/health`);
  assertEquals([health.status, JSON.parse(health.text).status], [200, "ok"]);
  assert(Object.keys(JSON.parse(health.text)).length > 1, "who asks from this machine is told details");
  assertMatch((await ask(`${url}/metrics`)).text, /larder_sessions_total\{change="created"\} 5/);
}

/** A port that is free now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Serves an app, looks at it, and ends it. */
async function checkServed(project: NpmProject, app: App, program: string, args: string[], behind: boolean) {
  const port = freePort();
  const child = new Deno.Command(program, {
    args,
    cwd: project.folder,
    env: { PORT: `${port}`, HOST: "127.0.0.1", ...(behind && { BEHIND_EXPRESS: "1" }) },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  try {
    const url = `http://127.0.0.1:${port}`;
    await until(() => ask(`${url}/health`).then(() => true, () => false), `${app.name} that listens`);
    await check(url, app);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

const npm = await findProgram("npm");

for (const app of APPS) {
  Deno.test(
    await testWith("node22", `${app.name}, as it is built, has all of Larder`, async (node, t) => {
      await using project = await NpmProject.of(node, npm!, new URL(`apps/${app.folder}/`, import.meta.url));
      const env = { ASTRO_TELEMETRY_DISABLED: "1", NEXT_TELEMETRY_DISABLED: "1" };
      await t.step("it is built", async () => void await project.runWith(env, node, ...app.build));
      if (app.twice) {
        await t.step(
          "it is built to be behind Express",
          async () => void await project.runWith({ ...env, BEHIND_EXPRESS: "1" }, node, ...app.build),
        );
      }
      const deno = [Deno.execPath(), "run", "--allow-all", "--no-lock"] as const;
      for (const [runtime, [program, ...args]] of [["Node.js 22", [node]], ["Deno", deno]] as const) {
        await t.step(`by its own server on ${runtime}`, async () => {
          await checkServed(project, app, program, [...args, app.alone], false);
        });
        await t.step(`behind Express on ${runtime}`, async () => {
          await checkServed(project, app, program, [...args, app.behind], true);
        });
      }
    }, { ignore: npm === undefined }),
  );
}
