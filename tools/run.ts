/**
 * Runs a program of this project: `deno run tools/run.ts [--redis] [--allow-…] PROGRAM [arguments]`.
 *
 * Without a Redis to go to, nothing from JSR is needed and nothing is asked of it. With one (REDIS_URL, REDIS_HOST, or
 * `--redis`, which finds one as the tests do), the stand-ins of tests/offline take its place when it does not answer.
 * The program gets the permissions that are given, the Redis variables, and the address of the Redis.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { importMapArguments } from "./jsr.ts";
import { findRedis, NO_REDIS } from "./redis.ts";

const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname);

const VARIABLES = [
  ...["REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_USERNAME", "REDIS_PASSWORD", "REDIS_PASSWORD_FILE"],
  ...["REDIS_DB", "REDIS_TLS", "REDIS_TTL", "REDIS_NAMESPACE", "PORT", "NO_COLOR"],
];

/** An import map without what comes from JSR: Deno looks for the target of each `import()` before it starts. */
async function embeddedImportMap(): Promise<string[]> {
  const { imports, scopes } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  const kept = Object.entries<string>(imports).filter(([, address]) => !address.startsWith("jsr:"));
  const map = JSON.stringify({ imports: Object.fromEntries(kept), scopes });
  return [`--import-map=data:application/json,${encodeURIComponent(map)}`];
}

/** Permissions by name; `true` is all of it. */
class Permissions {
  readonly #granted = new Map<string, Set<string> | true>();

  grant(name: string, ...values: string[]): void {
    const present = this.#granted.get(name);
    if (present !== true) this.#granted.set(name, new Set([...present ?? [], ...values]));
  }

  grantAll(name: string): void {
    this.#granted.set(name, true);
  }

  /** Takes an argument such as `--allow-net=127.0.0.1`. */
  parse(argument: string): void {
    const [name = "", values] = argument.replace(/^--allow-/, "").split("=");
    if (values === undefined) this.grantAll(name);
    else this.grant(name, ...values.split(","));
  }

  arguments(): string[] {
    if (this.#granted.has("all")) return ["--allow-all"];
    const list = [...this.#granted].map(([name, values]) =>
      values === true ? `--allow-${name}` : `--allow-${name}=${[...values].join(",")}`
    );
    return ["--no-prompt", ...list];
  }
}

/** The address of the Redis that the environment names. */
function redisAddress(): string | undefined {
  const url = Deno.env.get("REDIS_URL");
  if (url && URL.canParse(url)) {
    const { hostname, port } = new URL(url);
    return `${hostname}:${port || 6379}`;
  }
  const host = Deno.env.get("REDIS_HOST");
  return host && `${host}:${Deno.env.get("REDIS_PORT") || 6379}`;
}

async function main(args: string[]): Promise<number> {
  const at = args.findIndex((arg) => !arg.startsWith("-"));
  const flags = args.slice(0, at);
  const permissions = new Permissions();
  for (const flag of flags) if (flag.startsWith("--allow-")) permissions.parse(flag);
  permissions.grant("env", ...VARIABLES);

  const address = redisAddress();
  if (address) permissions.grant("net", address);
  const passwordFile = Deno.env.get("REDIS_PASSWORD_FILE");
  if (passwordFile) permissions.grant("read", passwordFile);

  const named = Boolean(Deno.env.get("REDIS_URL") || Deno.env.get("REDIS_HOST"));
  const wanted = flags.includes("--redis");
  const importMap = named || wanted ? await importMapArguments() : await embeddedImportMap();
  // ioredis, which the stand-in is made of, looks through the whole environment.
  if ((named || wanted) && importMap.length > 0) permissions.grantAll("env");
  const redis = wanted ? await findRedis(`${ROOT}.cache`) : undefined;
  if (wanted && !redis) {
    console.error(NO_REDIS);
    return 1;
  }
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...importMap, ...permissions.arguments(), ...args.slice(at)],
    cwd: ROOT,
    env: redis?.env ?? {},
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  // An interrupt from the keyboard reaches the program by itself; this process only waits for it.
  Deno.addSignalListener("SIGINT", () => {});
  Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
  const { code } = await child.status;
  await redis?.sweep();
  return code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
