import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { connect, type ConnectOptions, type LarderEvent } from "../../mod.ts";
import { connectionReport } from "../../src/connect/connection_report.ts";
import { CERTIFICATES, possible } from "../deploy/deployed_redis.ts";
import { RedisServer } from "../support/redis_server.ts";
import { TRIALS } from "./managed_services.ts";

const ignore = !RedisServer.controllable;
const LOGIN = { username: "app", password: "secret" };

/** What was seen where a user may not do something. */
interface Seen {
  /** What did not work, and what came instead. */
  readonly failed: Readonly<Record<string, string>>;
  /** Lines on the console. */
  readonly console: readonly string[];
  readonly events: readonly LarderEvent[];
  readonly status: string;
  readonly warnings: readonly string[];
}

/** Tries all services as a user of a server. */
async function tryAll(where: Pick<ConnectOptions, "url" | "username" | "password" | "tls">): Promise<Seen> {
  const console: string[] = [];
  const events: LarderEvent[] = [];
  const report = connectionReport((line) => console.push(line));
  const on = (event: LarderEvent) => {
    events.push(event);
    report(event);
  };
  const options = { ...where, namespace: "shop", commandTimeout: "10s", on } as const;
  const open = () => connect({ ...options, rateLimit: { timeout: "10s" }, cache: { local: true } });
  await using one = await open();
  await using two = await open();
  const refused = () =>
    events.some((event) => event.type === "redis.refused" && /hear|subscribe/.test(event.operation));
  const failed: Record<string, string> = {};
  for (const [name, trial] of Object.entries(TRIALS)) {
    const came = await trial({ one, two, refused }).catch(({ message }: Error) => message);
    if (came !== undefined) failed[name] = came;
  }
  const health = await Promise.all([one.health(), two.health()]);
  const status = health.find(({ status }) => status !== "ok")?.status ?? "ok";
  const warnings = health.flatMap(({ warnings }) => warnings);
  await one.ready({ timeout: "10s" });
  return { failed, console, events, status, warnings };
}

/** One line of the table in docs/managed.md. */
function lineOf(command: string, { failed, console, warnings }: Seen): string {
  const said = [console.length > 0 ? "console, `redis.refused`, `health()`" : warnings.length > 0 ? "`health()`" : ""];
  return [`\`${command}\``, Object.keys(failed).join(", "), ...said].join(" | ");
}

/** Cells of a Markdown table, without what aligns them. */
const cellsOf = (line: string) => line.split("|").map((cell) => cell.trim()).join(" | ").replace(/^ \| | \| $/g, "");

const COMMANDS = ["INFO", "SCRIPT", "PUBLISH", "SUBSCRIBE", "SCAN", "CONFIG", "CLIENT", "CLUSTER", "WAIT"];
/** What also may be renamed, as some providers do, with the same outcome. */
const RENAMED = ["INFO", "PUBLISH", "SCAN"];

Deno.test({
  name: "A user who may not use a command: what still works and what says so is as docs/managed.md has it",
  ignore,
  fn: async (t) => {
    const document = await Deno.readTextFile(new URL("../../docs/managed.md", import.meta.url));
    const table = document.split("\n").filter((line) => line.startsWith("| `")).map(cellsOf);
    for (const command of COMMANDS) {
      await t.step(`without ${command}`, async () => {
        await using server = await RedisServer.start();
        const rules = ["on", `>${LOGIN.password}`, "~*", "&*", "+@all", `-${command.toLowerCase()}`];
        await server.cli("ACL", "SETUSER", LOGIN.username, ...rules);
        const seen = await tryAll({ url: server.url, ...LOGIN });
        const line = lineOf(command, seen);
        assert(table.includes(line), `${line}\n${table.join("\n")}\n${JSON.stringify(seen.failed)}`);
        // Whatever does not work says so, with the reply of the server.
        const works = Object.keys(seen.failed).length === 0;
        assertEquals(seen.status, works ? "ok" : "degraded");
        assertEquals(seen.console.length > 0, !works);
        for (const said of [...seen.console, ...works ? [] : seen.warnings]) assertStringIncludes(said, "NOPERM");
      });
    }
    for (const command of RENAMED) {
      await t.step(`${command} renamed`, async () => {
        await using server = await RedisServer.start({ args: ["--rename-command", command, ""] });
        const seen = await tryAll({ url: server.url });
        const line = lineOf(command, seen);
        assert(table.includes(line), `${line}\n${table.join("\n")}\n${JSON.stringify(seen.failed)}`);
        assertEquals(seen.status, Object.keys(seen.failed).length === 0 ? "ok" : "degraded");
        for (const said of seen.console) assertStringIncludes(said.toLowerCase(), "unknown");
      });
    }
  },
});

Deno.test({
  name: "A server like that of Upstash, by rediss:// and without what it does not have, serves everything",
  ignore: !possible,
  fn: async () => {
    const token = "AXqdASQgY2M5";
    const file = (name: string) => decodeURIComponent(new URL(name, CERTIFICATES).pathname);
    const port = freePort();
    await using server = await RedisServer.start({
      args: [
        ...["--requirepass", token, "--tls-port", String(port), "--tls-auth-clients", "no"],
        ...["--tls-cert-file", file("redis.pem"), "--tls-key-file", file("redis.key")],
        ...["CLIENT", "INFO", "WAIT", "CONFIG", "CLUSTER", "SCRIPT", "SELECT", "HELLO"]
          .flatMap((command) => ["--rename-command", command, ""]),
      ],
    });
    const url = `rediss://default:${token}@127.0.0.1:${port}`;
    const caCerts = [await Deno.readTextFile(file("ca.pem"))];
    const { failed, status, console } = await tryAll({ url, tls: { caCerts } });
    assertEquals([failed, status, console], [{}, "ok", []]);
    assertEquals(await server.cli("EXISTS", "{shop}:c:seen"), 1);
  },
});

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
