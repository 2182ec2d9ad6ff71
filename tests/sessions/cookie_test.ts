import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { MemorySessionStore } from "../../src/sessions/memory_store.ts";
import type { SessionsOptions } from "../../src/sessions/options.ts";
import { Sessions } from "../../src/sessions/sessions.ts";
import { ManualClock } from "../../src/testing/manual_clock.ts";

const HTTPS = "https://localhost/";

function open(options: Omit<SessionsOptions, "touchEvery"> = {}, now?: () => number): Sessions {
  return new Sessions(new MemorySessionStore(now ? { now } : {}), options);
}

function withCookie(cookie: string): Request {
  return new Request(HTTPS, { headers: { cookie } });
}

/** The one cookie of a response, without its attributes. */
function pairOf(headers: Headers): string {
  const cookies = headers.getSetCookie();
  assertEquals(cookies.length, 1);
  return cookies[0]!.split(";")[0]!;
}

Deno.test("SessionCookie.write() sets all attributes that protect it, and clear() the same", async () => {
  const sessions = open();
  const session = await sessions.create("ada", {});
  const headers = new Headers({ "cache-control": "public" });
  sessions.cookie.write(headers, session);
  const attributes = "Path=/; HttpOnly; Secure; SameSite=Lax";
  assertEquals(headers.getSetCookie(), [`__Host-session=${session.id}; Max-Age=86400; ${attributes}`]);
  assertEquals(headers.get("cache-control"), "no-store");
  sessions.cookie.clear(headers);
  assertEquals(headers.getSetCookie(), [`__Host-session=; Max-Age=0; ${attributes}`], "it replaces the other");
});

Deno.test("SessionCookie leaves other cookies alone", async () => {
  const sessions = open();
  const headers = new Headers();
  headers.append("set-cookie", "a=1; Path=/");
  sessions.cookie.write(headers, await sessions.create("ada", {}));
  headers.append("set-cookie", "b=2");
  sessions.cookie.clear(headers);
  assertEquals(headers.getSetCookie().map((cookie) => cookie.split("=")[0]), ["a", "b", "__Host-session"]);
});

Deno.test("SessionCookie has the options of its name, place and life", async (t) => {
  const cases: [string, SessionsOptions, string][] = [
    [
      "an insecure one for development",
      { cookie: { insecure: true } },
      "session=TOKEN; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax",
    ],
    [
      "that of a domain",
      { cookie: { domain: "example.com", sameSite: "strict" } },
      "session=TOKEN; Max-Age=86400; Domain=example.com; Path=/; HttpOnly; Secure; SameSite=Strict",
    ],
    [
      "that of a path",
      { cookie: { path: "/app" } },
      "session=TOKEN; Max-Age=86400; Path=/app; HttpOnly; Secure; SameSite=Lax",
    ],
    [
      "one for pages within others",
      { cookie: { name: "__Host-x", sameSite: "none", partitioned: true } },
      "__Host-x=TOKEN; Max-Age=86400; Path=/; HttpOnly; Secure; Partitioned; SameSite=None",
    ],
    [
      "one that ends with the browser",
      { cookie: { persistent: false } },
      "__Host-session=TOKEN; Path=/; HttpOnly; Secure; SameSite=Lax",
    ],
    [
      "one of 400 days at most",
      { ttl: 0, absoluteTtl: "3000d" },
      "__Host-session=TOKEN; Max-Age=34560000; Path=/; HttpOnly; Secure; SameSite=Lax",
    ],
    [
      "one of a session that never ends",
      { ttl: 0, absoluteTtl: 0 },
      "__Host-session=TOKEN; Max-Age=34560000; Path=/; HttpOnly; Secure; SameSite=Lax",
    ],
  ];
  for (const [name, options, wanted] of cases) {
    await t.step(name, async () => {
      const sessions = open(options);
      const session = await sessions.create("ada", {});
      const headers = new Headers();
      sessions.cookie.write(headers, session);
      const parts = (text: string) => text.split("; ").sort();
      assertEquals(parts(headers.get("set-cookie")!), parts(wanted.replace("TOKEN", session.id)));
      assertEquals(sessions.cookie.read(withCookie(pairOf(headers))), session.id);
    });
  }
});

Deno.test("SessionCookie refuses options that do not go together", () => {
  const cases: [SessionsOptions, RegExp][] = [
    [{ cookie: { name: "a b" } }, /"cookie.name"/],
    [{ cookie: { name: "__Host-a", insecure: true } }, /no insecure/],
    [{ cookie: { name: "__Host-a", domain: "example.com" } }, /no domain/],
    [{ cookie: { name: "__host-a", path: "/app" } }, /no domain, the path/],
    [{ cookie: { name: "__Secure-a", insecure: true } }, /no insecure/],
    [{ cookie: { sameSite: "none", insecure: true } }, /"cookie.insecure"/],
    [{ cookie: { domain: "a;b" } }, /"cookie.domain": wanted a domain alone, such as "example.com", got "a;b"/],
    [{ cookie: { domain: "https://example.com" } }, /"cookie.domain": wanted .*, got "https:/],
    [{ cookie: { domain: "example.com:8000" } }, /"cookie.domain": wanted .*, got "example.com:8000"/],
    [{ cookie: { path: "/a;b" } }, /"cookie.path": wanted .*, got "\/a;b"/],
    [{ cookie: { path: "app" } }, /"cookie.path": wanted .* begins with/],
    [{ cookie: { path: "" } }, /"cookie.path"/],
    [{ secrets: ["too short, and shown to nobody"] }, /"secrets\[0\]": wanted .* got 30/],
  ];
  for (const [options, message] of cases) {
    const error = assertThrows(() => open(options), Error);
    assert(error instanceof TypeError || error instanceof RangeError);
    assert(message.test(error.message), error.message);
    assert(!error.message.includes("too short"));
  }
});

Deno.test("SessionCookie.read() takes the first that may be a token, and survives garbage", async () => {
  const sessions = open();
  const [a, b] = [await sessions.create("ada", {}), await sessions.create("ada", {})];
  const read = (cookie: string) => sessions.cookie.read(withCookie(cookie));
  const name = "__Host-session";
  assertEquals(read(`${name}=${a.id}`), a.id);
  assertEquals(read(`x=1;${name}=${a.id};y=2`), a.id);
  assertEquals(read(`  ${name} = ${a.id}  `), a.id);
  assertEquals(read(`${name}="${a.id}"`), a.id);
  assertEquals(read(`${name}=; ${name}=garbage; ${name}=${b.id}; ${name}=${a.id}`), b.id);
  assertEquals(read(`session=${a.id}; __Host-sessionx=${a.id}; x__Host-session=${a.id}`), undefined);
  for (
    const garbage of [
      "",
      ";",
      "=",
      name,
      `${name}`,
      `${name}=`,
      `${name}=%`,
      `${name}=%00%zz`,
      `${name}=${a.id}x`,
      `${name}=${"x".repeat(5000)}`,
      `;;;=;${name};=${a.id}`,
      "\u00ff\u00fe=\u00fd",
      `${name}={"a":1}`,
    ]
  ) assertEquals(read(garbage), undefined, garbage);
  assertEquals(sessions.cookie.read(new Request(HTTPS)), undefined);
  assertEquals(sessions.cookie.read(new Headers({ cookie: `${name}=${a.id}` })), a.id);
});

Deno.test("SessionCookie signs with the first secret and accepts those of all", async () => {
  const [old, young, other] = ["o".repeat(32), "y".repeat(32), "x".repeat(32)];
  const store = new MemorySessionStore();
  const sessions = (...secrets: string[]) => new Sessions(store, { secrets });
  const session = await sessions(old).create("ada", {});
  const signed = (by: Sessions) => {
    const headers = new Headers();
    by.cookie.write(headers, session);
    return pairOf(headers);
  };
  const cookie = signed(sessions(old));
  assertNotEquals(cookie, `__Host-session=${session.id}`);
  assertEquals(sessions(old).cookie.read(withCookie(cookie)), session.id);
  assertEquals(sessions(young, old).cookie.read(withCookie(cookie)), session.id);
  assertEquals(sessions(young).cookie.read(withCookie(cookie)), undefined);
  assertEquals(signed(sessions(young, old)), signed(sessions(young, other)));
  assertEquals(sessions(old).cookie.read(withCookie(`__Host-session=${session.id}`)), undefined, "not signed");
  assertEquals(
    sessions(old).cookie.read(withCookie(`${cookie.slice(0, -1)}${cookie.endsWith("A") ? "B" : "A"}`)),
    undefined,
  );
  const another = new Sessions(store, { secrets: [old], cookie: { name: "other" } });
  assertEquals(another.cookie.read(withCookie(cookie.replace("__Host-session", "other"))), undefined, "another cookie");
  assertEquals(sessions(old).cookie.read(withCookie(`${cookie}; __Host-session=${session.id}.`)), session.id);
});

Deno.test("SessionCookie takes no signature but a whole one", async () => {
  const secret = "s".repeat(32);
  const sessions = open({ secrets: [secret] });
  const session = await sessions.create("ada", {});
  const headers = new Headers();
  sessions.cookie.write(headers, session);
  const pair = pairOf(headers);
  const read = (cookie: string) => sessions.cookie.read(withCookie(cookie));
  assertEquals(read(pair), session.id);
  const [name, value] = pair.split("=") as [string, string];
  const [token, signature] = value.split(".") as [string, string];
  for (let length = 0; length < signature.length; length++) {
    assertEquals(read(`${name}=${token}.${signature.slice(0, length)}`), undefined);
  }
  for (
    const wrong of [
      `${token}`,
      `${token}.`,
      `.${signature}`,
      `${token}.${signature}=`,
      `${token}.${signature}A`,
      `${token}..${signature}`,
      `${token}.${signature.toLowerCase()}`,
      `${token}.${signature.toUpperCase()}`,
      `${token}%2E${signature}`,
      `${token} .${signature}`,
      `"${token}".${signature}`,
      `${token.slice(0, -1)}.${signature}`,
    ]
  ) assertEquals(read(`${name}=${wrong}`), undefined, wrong);
  assertEquals(Deno.inspect(sessions, { depth: 20, showHidden: true }).includes(secret), false);
  for (const none of [undefined, null, 7, {}, "x".repeat(31)]) {
    const error = assertThrows(() => open({ secrets: [secret, none as string] }), Error, '"secrets[1]"');
    assert(!error.message.includes("xxx"));
  }
});

Deno.test("SessionCookie.read() finds its way through very long headers", async () => {
  const sessions = open({ secrets: ["a".repeat(32), "b".repeat(32)] });
  const session = await sessions.create("ada", {});
  const headers = new Headers();
  sessions.cookie.write(headers, session);
  const pair = pairOf(headers);
  const name = "__Host-session";
  const garbage = [
    `${name}=;`.repeat(700),
    `${name}="; ${name}="";`.repeat(300),
    `${name}=${"A".repeat(43)}.${"B".repeat(43)}; `.repeat(80),
    `a${"=".repeat(8000)}; `,
    `${"%".repeat(8000)}; `,
    `${name}=${"A".repeat(8000)}; `,
  ];
  for (const text of garbage) {
    const started = performance.now();
    assertEquals(sessions.cookie.read(withCookie(`${text}${pair}`)), session.id);
    assertEquals(sessions.cookie.read(withCookie(text)), undefined);
    assert(performance.now() - started < 500, `${performance.now() - started} ms`);
  }
});

Deno.test("SessionCookie.write() counts Max-Age from the present of the store", async () => {
  const clock = new ManualClock(1_000_000);
  const sessions = open({ ttl: "1h", absoluteTtl: "90m" }, clock.now);
  const { id } = await sessions.create("ada", {});
  clock.advance("45m");
  const headers = new Headers();
  sessions.cookie.write(headers, (await sessions.get(id))!);
  assert(headers.get("set-cookie")!.includes("Max-Age=2700;"), "45 minutes are left of 90");
});

Deno.test("SessionCookie.read() explains itself to who has a request of node:http", () => {
  const { cookie } = open();
  const incoming = { headers: { cookie: "__Host-session=x" } };
  const cases: [unknown, string][] = [
    [incoming, "a request of node:http"],
    [undefined, "undefined"],
    [null, "null"],
    ["__Host-session=x", '"__Host-session=x"'],
    [{}, "an object"],
  ];
  for (const [request, got] of cases) {
    const error = assertThrows(() => cookie.read(request as Request), TypeError);
    assertEquals(
      error.message,
      'Cannot read the cookie: wanted a Request or Headers, as in read(new Headers({ cookie: req.headers.cookie ?? "" })), ' +
        `got ${got}`,
    );
  }
  assertEquals(cookie.read(new Headers({ cookie: incoming.headers.cookie })), undefined);
});
