import { assertEquals, assertStringIncludes } from "@std/assert";
import { resolveConfig } from "../../src/connect/config.ts";
import { readEnvironment } from "../../src/connect/environment.ts";
import { client, LOCAL, PEM, refusal, resolve, servers, type Variables } from "../support/resolve.ts";

Deno.test("resolveConfig() completes a URL with the environment, part by part", () => {
  const both = { REDIS_USERNAME: "app", REDIS_PASSWORD: "pw", REDIS_DB: "5", REDIS_TLS: "true" };
  const tls = { caCerts: [] };
  const cases: [unknown, Variables, Record<string, unknown>][] = [
    [{}, { REDIS_URL: "redis://localhost", REDIS_PASSWORD: "redispass" }, { password: "redispass" }],
    [{}, { ...both, REDIS_URL: "redis://localhost" }, { username: "app", password: "pw", db: 5, tls }],
    [{ url: "redis://localhost" }, both, { username: "app", password: "pw", db: 5, tls }],
    [{}, { ...both, REDIS_URL: "redis://u:p@localhost/1" }, { username: "u", password: "p", db: 1, tls }],
    [{}, { ...both, REDIS_URL: "redis://u@localhost" }, { username: "u", password: "pw", db: 5, tls }],
    [{}, { ...both, REDIS_URL: "redis://:p@localhost" }, { username: "app", password: "p", db: 5, tls }],
    [{ username: "me" }, { ...both, REDIS_URL: "redis://u:p@localhost" }, {
      username: "me",
      password: "p",
      db: 5,
      tls,
    }],
    [{ password: "x", db: 0 }, { REDIS_URL: "redis://u:p@localhost/1" }, { username: "u", password: "x" }],
    [{ username: "", password: "" }, { REDIS_URL: "redis://u:p@localhost" }, { username: "u", password: "p" }],
    [{ tls: false }, { ...both, REDIS_HOST: "localhost" }, { username: "app", password: "pw", db: 5 }],
    [{}, { REDIS_URL: "rediss://localhost", REDIS_TLS: "false" }, { tls }],
    [{ tls: { caCerts: [PEM] } }, { REDIS_URL: "rediss://localhost" }, { tls: { caCerts: [PEM] } }],
    [{ tls: { caCerts: [PEM] } }, { REDIS_HOST: "localhost" }, { tls: { caCerts: [PEM] } }],
    [{ tls: {} }, { REDIS_HOST: "localhost" }, { tls }],
    [{ tls: true }, { REDIS_HOST: "localhost", REDIS_TLS: "off" }, { tls }],
    // REDIS_URL wins over REDIS_HOST, and what is not needed is not looked at.
    [{}, { REDIS_URL: "redis://localhost", REDIS_HOST: "no such@host", REDIS_PORT: "none" }, {}],
    [{ db: 2 }, { REDIS_URL: "redis://localhost", REDIS_DB: "none" }, { db: 2 }],
    [{ password: "x" }, { REDIS_URL: "redis://localhost", REDIS_PASSWORD_FILE: "/no/such/file" }, { password: "x" }],
    [{}, { REDIS_URL: "redis://:x@localhost", REDIS_PASSWORD_FILE: "/no/such/file" }, { password: "x" }],
  ];
  for (const [options, variables, wanted] of cases) {
    assertEquals(servers(resolve(options, variables)), { ...LOCAL, ...wanted }, JSON.stringify([options, variables]));
  }
});

Deno.test("resolveConfig() reads every variable", async (t) => {
  const base = { REDIS_HOST: "localhost" };
  const server = (variables: Variables) => servers(resolve({}, { ...base, ...variables }));
  const good: [string, string, Record<string, unknown>][] = [
    ["REDIS_HOST", "redis", { hostname: "redis" }],
    ["REDIS_HOST", " bright-ladybird-1.upstash.io ", { hostname: "bright-ladybird-1.upstash.io" }],
    ["REDIS_HOST", "::1", { hostname: "::1" }],
    ["REDIS_HOST", "[::1]", { hostname: "::1" }],
    ["REDIS_PORT", "6380", { port: 6380 }],
    ["REDIS_PORT", "tcp://10.0.0.7:6381", { port: 6381 }],
    ["REDIS_PASSWORD", "  spaces stay ", { password: "  spaces stay " }],
    ["REDIS_USERNAME", "default", {}],
    ["REDIS_DB", "0", {}],
    ["REDIS_DB", "15", { db: 15 }],
  ];
  for (const word of ["true", "TRUE", "1", "yes", "on", " on "]) {
    good.push(["REDIS_TLS", word, { tls: { caCerts: [] } }]);
  }
  for (const word of ["false", "False", "0", "no", "off"]) good.push(["REDIS_TLS", word, {}]);
  for (const name of ["PORT", "PASSWORD", "USERNAME", "DB", "TLS", "PASSWORD_FILE", "URL", "CACHE_URL"]) {
    good.push([`REDIS_${name}`, "", {}]);
    if (name !== "PASSWORD") good.push([`REDIS_${name}`, " \t", {}]);
  }
  await t.step("good values", () => {
    for (const [name, value, wanted] of good) {
      assertEquals(server({ [name]: value }), { ...LOCAL, ...wanted }, `${name}=${value}`);
    }
    assertEquals(resolve({}, { REDIS_NAMESPACE: "my-app" }).namespace, "my-app");
    assertEquals(resolve({}, { REDIS_NAMESPACE: "" }).namespace, "larder");
    const ttls: [string, number | string][] = [["900", 900], ["0", 0], ["0.5", 0.5], ["15m", "15m"], [" 60 ", 60]];
    for (const [text, ttl] of ttls) assertEquals(resolve({}, { REDIS_TTL: text }).cache, { ttl });
    assertEquals(resolve({}, { REDIS_TTL: "" }).cache, {});
    assertEquals(resolve({ cache: { ttl: 0 } }, { REDIS_TTL: "nonsense" }).cache, { ttl: 0 });
    assertEquals(resolve({ cache: { ttl: undefined } }, { REDIS_TTL: "5" }).cache, { ttl: 5 });
  });

  const bad: [string, string, string, string][] = [
    ["REDIS_HOST", "localhost:6380", "a host name or an IP address alone", '"localhost:6380"'],
    ["REDIS_HOST", "a b", "a host name or an IP address alone", '"a b"'],
    ["REDIS_HOST", "redis://u:hunter2@host", "a host name or an IP address alone", "a URL or an address (not shown)"],
    ["REDIS_HOST", "u:hunter2@host", "a host name or an IP address alone", "a URL or an address (not shown)"],
    ["REDIS_PORT", "abc", "a port from 1 to 65535", '"abc"'],
    ["REDIS_PORT", "0", "a port from 1 to 65535", '"0"'],
    ["REDIS_PORT", "65536", "a port from 1 to 65535", '"65536"'],
    ["REDIS_PORT", "6379.0", "a port from 1 to 65535", '"6379.0"'],
    ["REDIS_PORT", "tcp://10.0.0.7:99999", "a port from 1 to 65535", '"99999"'],
    ["REDIS_PORT", "tcp://u:hunter2@h:1", "a port from 1 to 65535", "a URL or an address (not shown)"],
    ["REDIS_DB", "-1", "a database number such as 0", '"-1"'],
    ["REDIS_DB", "one", "a database number such as 0", '"one"'],
    ["REDIS_TLS", "maybe", "true or false", '"maybe"'],
    ["REDIS_TTL", "-1", 'seconds as a number or a string such as "30s"', '"-1"'],
    ["REDIS_TTL", "900 # 15 minutes", 'seconds as a number or a string such as "30s"', '"900 # 15 minutes"'],
    ["REDIS_TTL", "1e9999", 'seconds as a number or a string such as "30s"', '"1e9999"'],
    [
      "REDIS_TTL",
      "9".repeat(400),
      'seconds as a number or a string such as "30s"',
      `"${"9".repeat(64)}"… (400 characters)`,
    ],
    ["REDIS_NAMESPACE", "a:b", '1 to 64 letters, digits, ".", "_" or "-"', '"a:b"'],
    ["REDIS_NAMESPACE", "*", '1 to 64 letters, digits, ".", "_" or "-"', '"*"'],
    ["REDIS_USERNAME", "app", "a password for the user name", "none"],
    ["REDIS_PASSWORD_FILE", "/no/such/file", "a file with the password in it", '"/no/such/file", which does not exist'],
  ];
  await t.step("bad values", () => {
    for (const [name, value, wanted, got] of bad) {
      const error = refusal({}, { ...base, [name]: value });
      assertEquals(error.message, `Cannot use ${name}: wanted ${wanted}, got ${got}`);
      assertEquals(error.setting, name);
    }
  });

  await t.step("values that may be a password are not shown", () => {
    const password = "9f86d081884c7d659a2feaa0c55ad015";
    for (
      const name of ["REDIS_PORT", "REDIS_DB", "REDIS_TLS", "REDIS_TTL", "REDIS_CACHE", "REDIS_NAMESPACE", "REDIS_HOST"]
    ) {
      const { message } = refusal({}, { ...base, [name]: name === "REDIS_HOST" ? `${password}/` : `${password}:` });
      assertEquals(message.includes(password.slice(0, 8)), false, message);
    }
  });

  await t.step("none of them names a server alone, except REDIS_URL and REDIS_HOST", () => {
    const variables = {
      REDIS_PORT: "bad",
      REDIS_USERNAME: "app",
      REDIS_PASSWORD: "pw",
      REDIS_DB: "bad",
      REDIS_TLS: "bad",
    };
    assertEquals(resolve({}, variables).server, { kind: "memory", implicit: true });
  });
});

Deno.test("resolveConfig() logs in to the server of the cache", () => {
  const cases: [unknown, Variables, Record<string, unknown>][] = [
    [{ cacheUrl: "redis://cache:1/2" }, { REDIS_URL: "redis://u:p@main/7" }, {
      port: 1,
      db: 2,
      username: "u",
      password: "p",
    }],
    [{ cacheUrl: "redis://c:q@cache" }, { REDIS_URL: "redis://u:p@main" }, { username: "c", password: "q" }],
    [{ cacheUrl: "redis://:q@cache" }, { REDIS_URL: "redis://u:p@main" }, { password: "q" }],
    [{ cacheUrl: "redis://c@cache" }, { REDIS_URL: "redis://u:p@main" }, { username: "c", password: "p" }],
    [{}, { REDIS_CACHE_URL: "redis://cache", REDIS_HOST: "main", REDIS_PASSWORD: "p", REDIS_DB: "3" }, {
      password: "p",
    }],
    [{ cacheUrl: "redis://cache" }, { REDIS_CACHE_URL: "nonsense", REDIS_HOST: "main" }, {}],
    [{ cacheUrl: "rediss://cache" }, { REDIS_HOST: "main" }, { tls: { caCerts: [] } }],
    [{ cacheUrl: "redis://cache", tls: { caCerts: [PEM] } }, { REDIS_HOST: "main" }, { tls: { caCerts: [PEM] } }],
    [{ client, cacheUrl: "redis://cache" }, { REDIS_USERNAME: "u", REDIS_PASSWORD: "p" }, {
      username: "u",
      password: "p",
    }],
    [{ cacheUrl: "redis://cache", password: "p" }, {}, { password: "p" }],
  ];
  for (const [options, variables, wanted] of cases) {
    assertEquals(
      servers(resolve(options, variables)).cache,
      { ...LOCAL, hostname: "cache", ...wanted },
      JSON.stringify([options, variables]),
    );
  }
  assertStringIncludes(refusal({ cacheUrl: "memory:" }).message, "Cannot use cacheUrl: wanted redis://");
});

Deno.test("resolveConfig() reads the password from a file", async (t) => {
  const folder = await Deno.makeTempDir();
  const write = (name: string, text: string) => {
    Deno.writeTextFileSync(`${folder}/${name}`, text);
    return `${folder}/${name}`;
  };
  try {
    await t.step("without one newline at its end", () => {
      const cases = [["hunter2", "hunter2"], ["hunter2\n", "hunter2"], ["hunter2\r\n", "hunter2"], [
        "a\nb\n\n",
        "a\nb\n",
      ], [" é ", " é "]];
      for (const [text, password] of cases) {
        const path = write("password", text!);
        assertEquals(servers(resolve({ url: "redis://localhost", passwordFile: path })), { ...LOCAL, password });
        assertEquals(servers(resolve({}, { REDIS_HOST: "localhost", REDIS_PASSWORD_FILE: path })), {
          ...LOCAL,
          password,
        });
      }
    });
    await t.step("the option before the URL and the environment", () => {
      const path = write("password", "file");
      const variables = { REDIS_URL: "redis://u:url@localhost", REDIS_PASSWORD: "env" };
      assertEquals(servers(resolve({ passwordFile: path }, variables)).password, "file");
    });
    await t.step("not beside the password itself", () => {
      const path = write("password", "hunter2");
      assertEquals(
        refusal({ password: "hunter2", passwordFile: path }).message,
        'Cannot use passwordFile: wanted either "password" or "passwordFile", got both',
      );
      assertEquals(
        refusal({}, { REDIS_HOST: "h", REDIS_PASSWORD: "hunter2", REDIS_PASSWORD_FILE: path }).message,
        "Cannot use REDIS_PASSWORD_FILE: wanted either REDIS_PASSWORD or REDIS_PASSWORD_FILE, got both",
      );
    });
    await t.step("whose path is not shown where it may be the password", () => {
      const passwords = [
        "hunter2",
        "dGhpcyBpcyBhIHNlY3JldCBvZiBtaW5l+/aB=",
        "/9fK3xQz",
        "S3cr3t/With/Slashes",
        "x".repeat(64),
        "a\nb",
      ];
      for (const password of passwords) {
        for (
          const text of [
            () => refusal({ url: "redis://h", passwordFile: password }),
            () => refusal({}, { REDIS_HOST: "h", REDIS_PASSWORD_FILE: password }),
          ]
        ) {
          const { message } = text();
          assertEquals(message.includes(password), false, message);
          assertStringIncludes(message, "a name that is not shown, which does not exist");
        }
      }
    });
    await t.step("missing, empty, or no file", () => {
      const long = `${folder}/${"x".repeat(100)}`;
      const cases = [
        [long, `"${long}", which does not exist`],
        [write("empty", "\n"), `"${folder}/empty", which is empty`],
        [write("blank", " \t\r\n"), `"${folder}/blank", which is empty`],
        [folder, `"${folder}", which cannot be read (EISDIR)`],
        [`${folder}/Redis Password`, `"${folder}/Redis Password", which does not exist`],
      ];
      for (const [path, got] of cases) {
        for (
          const [setting, options, variables] of [
            ["passwordFile", { url: "redis://h", passwordFile: path }, {}],
            ["REDIS_PASSWORD_FILE", {}, { REDIS_HOST: "h", REDIS_PASSWORD_FILE: path }],
          ] as [string, unknown, Variables][]
        ) {
          const error = refusal(options, variables);
          assertEquals(error.message, `Cannot use ${setting}: wanted a file with the password in it, got ${got}`);
          assertEquals(error.cause, undefined);
        }
      }
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "resolveConfig() does not ask for permission to read the password file",
  permissions: { read: false },
  fn: () => {
    assertEquals(
      refusal({ url: "redis://h", passwordFile: "/run/secrets/redis" }).message,
      'Cannot use passwordFile: wanted a file that may be read, got "/run/secrets/redis" without --allow-read for it',
    );
  },
});

const SET = "LARDER_TEST_SETTING";
const OTHER = "LARDER_TEST_OTHER_SETTING";
Deno.env.set(SET, "here");
Deno.env.set(OTHER, "there");

Deno.test({
  name: "readEnvironment() reads what it may",
  permissions: { env: [SET, "LARDER_TEST_NOT_SET"] },
  fn: () => {
    assertEquals([SET, OTHER, "LARDER_TEST_NOT_SET"].map(readEnvironment), ["here", undefined, undefined]);
  },
});

Deno.test({
  name: "readEnvironment() takes variables as not set where none may be read",
  permissions: { env: false },
  fn: () => {
    assertEquals(readEnvironment(SET), undefined);
    assertEquals(resolveConfig().server, { kind: "memory", implicit: true });
  },
});

Deno.test("readEnvironment() works where there is no Deno", () => {
  const originals = Object.getOwnPropertyDescriptors(globalThis) as PropertyDescriptorMap;
  const replace = (name: "Deno" | "process", value: unknown) =>
    Object.defineProperty(globalThis, name, { configurable: true, value });
  try {
    // Nothing else runs until they are put back.
    replace("Deno", undefined);
    replace("process", { env: { [SET]: "from node" } });
    assertEquals(readEnvironment(SET), "from node");
    assertEquals(readEnvironment(OTHER), undefined);
    replace("process", undefined);
    assertEquals(readEnvironment(SET), undefined);
  } finally {
    for (const name of ["Deno", "process"]) Object.defineProperty(globalThis, name, originals[name]!);
  }
});
