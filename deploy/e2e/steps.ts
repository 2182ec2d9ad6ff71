import assert from "node:assert/strict";
import type { Engine } from "./engine.ts";
import { APP_IMAGE, buildApp, buildStandIns } from "./images.ts";
import type { Answer } from "./probe.ts";
import { type Stack, TLS_FILE, until } from "./stack.ts";
import { TRAEFIK_LABELS } from "./traefik_labels.ts";

/** A step, which may say something about what it found. */
export type Step = (engine: Engine, stack: Stack) => Promise<string | void>;

const LOGIN = { method: "POST", body: { user: "ada", password: "open sesame" } };

/** The environment of the deployments after the first: those of the second password, and that which ends the first. */
const SECOND = {
  APP_IMAGE: `${APP_IMAGE}:2`,
  REDIS_PASSWORD_SECRET: "redis_password_v2",
  REDIS_CACHE_REPLICAS: "1",
  REDIS_CACHE_URL: "redis://redis-cache:6379",
};
const THIRD = { ...SECOND, REDIS_PASSWORD_PREVIOUS_SECRET: "redis_password_v2", REDIS_CONF_VERSION: "v2" };

/** The session that has to survive everything. */
let cookie = "";

/** The same request to each task of the app. */
async function each(stack: Stack, path: string, options: { method?: string; cookie?: string } = {}): Promise<Answer[]> {
  const addresses = await stack.addresses();
  return await stack.send(...addresses.map((address) => [address, path, options] as [string, string, typeof options]));
}

/** Each of the two tasks of the app knows the session. */
async function sessionHolds(stack: Stack): Promise<void> {
  const answers = await each(stack, "/whoami", { cookie });
  assert.deepEqual(answers.map(({ status, body }) => [status, body.user]), [[200, "ada"], [200, "ada"]]);
}

/** Waits until all tasks of the app say that they are so. */
async function untilHealth(stack: Stack, status: string): Promise<void> {
  await until(async () => {
    const answers = await each(stack, "/health");
    return answers.length === 2 && answers.every(({ body }) => body.status === status);
  }, `/health says "${status}"`);
}

/** Runs something in the container of Redis. */
async function inRedis(stack: Stack, command: string): Promise<string> {
  const [container] = await stack.containers("redis");
  return await stack.docker("exec", container!, "sh", "-c", command);
}

/** Nothing that the app sent was refused since Redis started. */
async function nothingRefused(stack: Stack): Promise<void> {
  const cli = "redis-cli $REDIS_CLI_ARGS -e --user ops --no-auth-warning";
  assert.equal(await inRedis(stack, `REDISCLI_AUTH=$(cat /run/redis/ops_password) ${cli} acl log`), "");
}

/** The app is healthy, knows the session, and nothing that it sent was refused. */
async function allIsWell(stack: Stack): Promise<void> {
  await untilHealth(stack, "ok");
  await sessionHolds(stack);
  await nothingRefused(stack);
}

/** Waits until each container of a service is another than before. */
async function replaced(stack: Stack, service: string, before: string[]): Promise<void> {
  await until(async () => {
    const now = await stack.containers(service);
    return now.length === before.length && !now.some((id) => before.includes(id));
  }, `all tasks of ${service} are new ones`);
  await stack.converged(service, before.length);
}

/** Those tasks of the app that are gone ended by themselves, after they had answered everything. */
async function endedInPeace(stack: Stack, containers: string[]): Promise<void> {
  for (const container of containers) {
    assert.equal(await stack.docker("inspect", "--format", "{{.State.ExitCode}}", container), "0");
    assert.match(await stack.docker("logs", container), /"type":"stopped"/);
  }
}

/** The steps, each of which needs those before it. */
export const STEPS: Record<string, Step> = {
  "images are built out of what is installed": async (engine) => {
    const standIns = await buildStandIns(engine);
    return `${standIns}; the app: ${await buildApp(engine)}`;
  },

  "the stack is deployed, and nothing of it is ignored": async (_, stack) => {
    await stack.prepare(`${APP_IMAGE}:1`);
    const said = await stack.deploy({ APP_IMAGE: `${APP_IMAGE}:1` });
    assert.doesNotMatch(said, /ignoring|unsupported|deprecated/i);
  },

  "its services converge": async (_, stack) => {
    await stack.converged("redis", 1);
    await stack.converged("redis-cache", 0);
    await stack.converged("app", 2);
  },

  "/health answers through another service on the overlay network": async (_, stack) => {
    await untilHealth(stack, "ok");
    for (const path of ["/health", "/health?ready"]) {
      assert.deepEqual((await each(stack, path)).map(({ status, body }) => [status, body]), [
        [200, { status: "ok" }], // no details for others
        [200, { status: "ok" }],
      ]);
    }
  },

  "the engine holds the labels that Traefik reads": async (_, stack) => {
    const { Spec } = await stack.inspect("app");
    const labels = Object.entries(Spec.Labels).filter(([name]) => name.startsWith("traefik."));
    assert.deepEqual(Object.fromEntries(labels), TRAEFIK_LABELS);
    const { Labels } = Spec.TaskTemplate.ContainerSpec;
    assert.equal(Object.keys(Labels).some((name) => name.startsWith("traefik.")), false);
    return `${labels.length} labels; the router itself was not run`;
  },

  "Redis has no rights to spare, and cannot be reached from outside": async (_, stack) => {
    const { Spec, Endpoint } = await stack.inspect("redis");
    assert.deepEqual([Spec.EndpointSpec.Mode, Endpoint.Ports], ["dnsrr", undefined]);
    assert.doesNotMatch(JSON.stringify(Spec.TaskTemplate.ContainerSpec.Env), /password/i);
    const status = await inRedis(stack, "cat /proc/1/status");
    assert.match(status, /^Uid:\s+999\s+999\s+999\s+999$/m);
    assert.match(status, /^CapBnd:\s+0+$/m);
    await assert.rejects(() => inRedis(stack, "touch /etc/redis/x || echo x > /x"), /Read-only file system/);
    assert.match(await inRedis(stack, "redis-cli ping"), /NOAUTH/);
    assert.deepEqual(await stack.resolve("redis"), [], "it has a name on the network of Traefik");
    const { Spec: app } = await stack.inspect("app");
    assert.deepEqual([app.TaskTemplate.ContainerSpec.User, app.TaskTemplate.ContainerSpec.ReadOnly], [
      "1993:1993",
      true,
    ]);
  },

  "tasks share the cache, and hear of invalidations": async (_, stack) => {
    const [first, second] = await stack.addresses();
    const product = async (address: string) => (await stack.send([address, "/products/101"]))[0]!.body;
    const loaded = await product(first!);
    assert.equal(loaded.product.name, "Parmigiano Reggiano, 24 months");
    assert.deepEqual(await product(second!), loaded);
    const [reload] = await stack.send([first!, "/products/reload", { method: "POST" }]);
    assert.deepEqual(reload!.body, { reload: "done" });
    const reloaded = await product(second!);
    assert.ok(reloaded.at > loaded.at, `${reloaded.at} > ${loaded.at}`);
    assert.deepEqual(await product(first!), reloaded);
  },

  "a session that one task begins is known to all": async (_, stack) => {
    const [address] = await stack.addresses();
    const [answer] = await stack.send([address!, "/login", LOGIN]);
    assert.equal(answer!.status, 200);
    cookie = answer!.cookie!;
    await sessionHolds(stack);
    await nothingRefused(stack);
  },

  "the limit on logins holds for all tasks together": async (_, stack) => {
    const [first, second] = await stack.addresses();
    const statuses: number[] = [];
    for (const address of [first!, second!, first!, second!, first!, second!]) {
      const wrong = { method: "POST", body: { user: "ada", password: "wrong" } };
      statuses.push((await stack.send([address, "/login", wrong]))[0]!.status);
    }
    assert.deepEqual(statuses, [401, 401, 401, 401, 429, 429]); // one of five was taken before
    await nothingRefused(stack);
  },

  "kill -9 of Redis: the app degrades, goes on, and recovers": async (engine, stack) => {
    const [container] = await stack.containers("redis");
    await new Promise((resolve) => setTimeout(resolve, 1500)); // once a second Redis writes to the disk
    const began = performance.now();
    const pid = await stack.docker("inspect", "--format", "{{.State.Pid}}", container!);
    assert.ok((await engine.spawn("kill", "-9", pid).status).success);
    await untilHealth(stack, "degraded");
    const seen = performance.now();
    assert.deepEqual((await each(stack, "/health?ready")).map(({ status }) => status), [200, 200]);
    assert.deepEqual((await each(stack, "/products/104")).map(({ status }) => status), [200, 200]);
    assert.deepEqual((await each(stack, "/whoami", { cookie })).map(({ status }) => status), [503, 503]);
    await replaced(stack, "redis", [container!]);
    await untilHealth(stack, "ok");
    await sessionHolds(stack);
    const seconds = (until: number) => ((until - began) / 1000).toFixed(1);
    return `degraded after ${seconds(seen)} s at the latest, well again after ${seconds(performance.now())} s`;
  },

  "the session survives docker service update --force of the app": async (_, stack) => {
    const before = await stack.containers("app");
    await stack.docker("service", "update", "--detach", "--force", "--no-resolve-image", `${stack.name}_app`);
    await replaced(stack, "app", before);
    await endedInPeace(stack, before);
    await allIsWell(stack);
  },

  "the session survives docker service update --force of Redis": async (_, stack) => {
    const before = await stack.containers("redis");
    await stack.docker("service", "update", "--detach", "--force", "--no-resolve-image", `${stack.name}_redis`);
    await replaced(stack, "redis", before);
    await allIsWell(stack);
  },

  "a rolling update under load loses no request": async (_, stack) => {
    const before = await stack.containers("app");
    const load = await stack.loaded(cookie, async () => {
      await stack.deploy({ APP_IMAGE: `${APP_IMAGE}:2` });
      await replaced(stack, "app", before);
      await endedInPeace(stack, before);
    });
    assert.deepEqual([load.failures, load.unavailable], [[], 0]);
    assert.ok(load.tasks.length === 4, `${load.tasks.length} tasks answered, wanted 4`);
    await sessionHolds(stack);
    return `${load.requests} requests to 4 tasks, sent once each, all answered; the slowest took ${load.slowest} ms`;
  },

  "the password is changed, and the cache gets a Redis of its own, under load": async (_, stack) => {
    const hashes = async () =>
      (await inRedis(stack, "grep ^user.app /run/redis/users.acl")).match(/#[0-9a-f]{64}/g)!.length;
    assert.equal(await hashes(), 1);
    await stack.createSecret("redis_password_v2");
    const [redis, app] = [await stack.containers("redis"), await stack.containers("app")];
    const load = await stack.loaded(cookie, async () => {
      await stack.deploy({ ...SECOND, REDIS_PASSWORD_PREVIOUS_SECRET: "redis_password_v1" });
      await Promise.all([
        replaced(stack, "redis", redis),
        replaced(stack, "app", app),
        stack.converged("redis-cache", 1),
      ]);
      assert.equal(await hashes(), 2);
    });
    assert.deepEqual(load.failures, []);
    await allIsWell(stack);

    const [twice, stay] = [await stack.containers("redis"), await stack.containers("app")];
    await stack.deploy(THIRD);
    await replaced(stack, "redis", twice);
    assert.equal(await hashes(), 1);
    await allIsWell(stack);
    assert.deepEqual(await stack.containers("app"), stay);
    await stack.docker("secret", "rm", "redis_password_v1"); // nothing uses it any more
    const some = `${load.unavailable} of them with "sessions are not available" while Redis was replaced`;
    return `${load.requests} requests, all answered, ${some}; the slowest took ${load.slowest} ms`;
  },

  "a backup brings back what was there": async (engine, stack) => {
    const file = `${engine.folder}/backup.rdb`;
    await stack.script("backup.sh", stack.name, file);
    const { size } = await Deno.stat(file);
    await each(stack, "/logout", { method: "POST", cookie });
    assert.deepEqual((await each(stack, "/whoami", { cookie })).map(({ status }) => status), [401, 401]);
    const redis = await stack.containers("redis");
    await stack.script("restore.sh", stack.name, file);
    await replaced(stack, "redis", redis);
    await allIsWell(stack);
    return `${size} bytes`;
  },

  "the same with TLS": async (engine, stack) => {
    const folder = `${engine.folder}/certificates`;
    await stack.script("make_certificates.sh", folder);
    for (const [name, file] of Object.entries({ cert: "redis.pem", key: "redis.key", ca: "ca.pem" })) {
      await stack.createSecret(`redis_tls_${name}_v1`, await Deno.readTextFile(`${folder}/${file}`));
    }
    const [redis, cache, app] = await Promise.all(["redis", "redis-cache", "app"].map((s) => stack.containers(s)));
    await stack.deploy({ ...THIRD, REDIS_CACHE_URL: "rediss://redis-cache:6379" }, TLS_FILE);
    await Promise.all([
      replaced(stack, "redis", redis!),
      replaced(stack, "redis-cache", cache!),
      replaced(stack, "app", app!),
    ]);
    await allIsWell(stack);
    const plain = await inRedis(stack, "redis-cli -e ping 2>&1 || true");
    assert.doesNotMatch(plain, /PONG|NOAUTH/);
    return `without TLS, Redis says: ${plain}`;
  },

  "the stack goes, with its networks": async (_, stack) => {
    await stack.remove();
  },
};
