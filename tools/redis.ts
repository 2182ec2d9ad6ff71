import { type DebianProgram, unpackDebian, works } from "./debian.ts";
import { sweepKeys } from "./sweep_keys.ts";

const IMAGE = "redis:7.2-alpine";
/** What is fetched where there is none, or by name. */
const PACKAGE: DebianProgram = { package: "redis-server", path: "usr/bin/redis-server" };
const NAMED: Record<string, DebianProgram> = {
  "redis-8": { ...PACKAGE, suite: "trixie" },
  "valkey-8": { package: "valkey-server", path: "usr/bin/valkey-server", suite: "trixie" },
};

/** What the tests are to pass on, as values of TEST_REDIS; the first is what is installed. */
export const ENGINES: readonly string[] = ["redis-server", ...Object.keys(NAMED)];

/** A Redis for tests and benchmarks. */
export interface FoundRedis {
  /** What it is, for people. */
  description: string;
  /** What tests/support/redis_server.ts reads. */
  env: Record<string, string>;
  /** The programs that have to be run. */
  run: string[];
  /** The addresses that have to be reached, besides loopback. */
  net: string[];
  /** Removes what the tests may have left: containers that run, keys on a server that is not theirs. */
  sweep(): Promise<void>;
}

/** What to do when there is no Redis. */
export const NO_REDIS =
  "No Redis was found: install redis-server, or start Docker, or set REDIS_URL to a server that tests may use.";

/**
 * Looks for a Redis: TEST_REDIS (a program, or "redis-8" or "valkey-8", which are fetched), REDIS_URL, `redis-server`
 * on PATH, a Docker engine, Debian packages.
 *
 * @param cache The folder for what has to be fetched, as an absolute path.
 * @returns The first that there is.
 */
export async function findRedis(cache: string): Promise<FoundRedis | undefined> {
  const wish = Deno.env.get("TEST_REDIS");
  if (wish) {
    const program = NAMED[wish] ? await unpackDebian(`${cache}/${wish}`, NAMED[wish]) : wish;
    return program && await works(program) ? local(program, `${program}, as TEST_REDIS says`) : undefined;
  }
  const url = Deno.env.get("REDIS_URL");
  if (url) {
    const { host, hostname, port } = new URL(url);
    return found(`the server of REDIS_URL at ${host}; tests that stop or restart a server are ignored`, {
      env: { LARDER_TEST_REDIS_URL: url },
      net: [`${hostname}:${port || 6379}`],
      sweep: () => sweepKeys(url),
    });
  }
  if (await works("redis-server")) return local("redis-server", "redis-server on PATH");
  if (await docker("info") && (await docker("image", "inspect", IMAGE) || await docker("pull", IMAGE))) {
    const id = crypto.randomUUID();
    return found(`${IMAGE} in Docker`, {
      env: { LARDER_TEST_REDIS_IMAGE: IMAGE, LARDER_TEST_RUN: id },
      run: ["docker"],
      sweep: () => sweepContainers(id),
    });
  }
  const unpacked = await unpackDebian(`${cache}/redis`, PACKAGE);
  return unpacked ? local(unpacked, `unpacked Debian packages, ${unpacked}`) : undefined;
}

function found(description: string, rest: Partial<FoundRedis>): FoundRedis {
  return { description, env: {}, run: [], net: [], sweep: () => Promise.resolve(), ...rest };
}

function local(executable: string, description: string): FoundRedis {
  return found(description, { env: { LARDER_TEST_REDIS_SERVER: executable }, run: [executable] });
}

async function sweepContainers(id: string): Promise<void> {
  const args = ["ps", "--all", "--quiet", "--filter", `label=larder-test=${id}`];
  const { stdout } = await new Deno.Command("docker", { args, stderr: "null" }).output();
  const left = new TextDecoder().decode(stdout).split("\n").filter(Boolean);
  if (left.length > 0) await docker("rm", "--force", "--volumes", ...left);
}

/** Whether a docker command succeeds. An engine that hangs counts as none. */
async function docker(...args: string[]): Promise<boolean> {
  const signal = AbortSignal.timeout(args[0] === "pull" ? 120_000 : 5_000);
  try {
    const options = { args, signal, stdin: "null", stdout: "null", stderr: "null" } as const;
    return (await new Deno.Command("docker", options).output()).success;
  } catch {
    return false; // no docker
  }
}
