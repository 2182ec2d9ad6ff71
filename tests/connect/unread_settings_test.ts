import { assertEquals, assertMatch } from "@std/assert";
import { unreadSettings } from "../../src/connect/unread_settings.ts";
import { runDeno } from "../examples/child.ts";

const environment = (variables: Record<string, string>) => (name: string) => variables[name];

Deno.test("unreadSettings() names what was probably meant to name a Redis, and nothing of it", () => {
  const cases: [object, Record<string, string>, string | undefined][] = [
    [{}, {}, undefined],
    [{}, { REDIS_PORT: "" }, undefined],
    [{}, { REDIS_PORT: "6380" }, "REDIS_PORT is set, but not at which host"],
    [{}, { REDIS_PORT: "1", REDIS_PASSWORD: "s3cret" }, "REDIS_PORT and REDIS_PASSWORD are set, but not at which host"],
    [{ password: "s3cret", db: 0 }, {}, '"password" and "db" are set, but not at which host'],
    [{}, { REDIS_URI: "redis://:s3cret@h" }, "REDIS_URI is set, but REDIS_URL is what is read"],
    [{}, { REDIS_ADDR: "h:1", REDIS_PORT: "1" }, "REDIS_ADDR is set, but REDIS_URL is what is read"],
  ];
  for (const [given, variables, wanted] of cases) {
    assertEquals(unreadSettings(given, environment(variables)), wanted);
  }
});

Deno.test("connect() says so once, beside that nothing names a Redis", async () => {
  const input =
    'import { connect } from "@larder/larder"; await (await connect()).close(); await (await connect()).close();';
  const { errors } = await runDeno(["run", "--no-prompt", "--allow-env", "-"], {
    input,
    env: { REDIS_ADDR: "h:6379" },
  });
  assertMatch(
    errors,
    /Nothing names a Redis .* in this process only; REDIS_ADDR is set, but REDIS_URL is what is read\./,
  );
  assertEquals(errors.split("Nothing names").length, 2);
});
