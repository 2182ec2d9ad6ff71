import { assertEquals, assertLessOrEqual } from "@std/assert";
import nodeCrypto from "node:crypto";
import { stub } from "@std/testing/mock";
import { MemorySessionStore } from "../../src/sessions/memory_store.ts";
import { Sessions } from "../../src/sessions/sessions.ts";

const SECRETS = ["a", "b", "c"].map((letter) => letter.repeat(32));
/** Most candidates for a token in one header. */
const MOST = 8;

/** How many signatures were computed by something. */
async function signatures(work: () => unknown): Promise<number> {
  const { createHmac } = nodeCrypto;
  let count = 0;
  const counting = stub(
    nodeCrypto,
    "createHmac",
    ((...args: Parameters<typeof createHmac>) => {
      count++;
      return createHmac(...args);
    }) as typeof createHmac,
  );
  try {
    await work();
    return count;
  } finally {
    counting.restore();
  }
}

/** A value with the form of a signed token, which nobody has signed. */
function forged(i: number): string {
  return `${String(i).padStart(42, "A")}A.${String(i).padStart(43, "B")}`;
}

/** A Cookie header of about so many bytes. */
function header(name: string, bytes: number, value: (i: number) => string): string {
  const pairs: string[] = [];
  for (let size = 0, i = 0; size < bytes; i++) size += pairs[pairs.push(`${name}=${value(i)}`) - 1]!.length + 2;
  return pairs.join("; ");
}

Deno.test("SessionCookie computes the signatures of 8 candidates at most, however long the header is", async (t) => {
  const junk: Record<string, (i: number) => string> = {
    "of the form of a token": forged,
    "one and the same": () => forged(1),
    "without a signature": (i) => String(i).padStart(43, "A"),
    "with a signature that is none": (i) => `${String(i).padStart(43, "A")}.${"!".repeat(43)}`,
    "with a shorter signature": (i) => `${String(i).padStart(43, "A")}.${"B".repeat(42)}`,
    "with a token that is none": (i) => `${String(i).padStart(44, "A")}.${"B".repeat(43)}`,
    "full of dots": () => ".".repeat(200),
    "quoted": (i) => `"${forged(i)}"`,
  };
  const looks: Record<string, number> = { "of the form of a token": MOST, "one and the same": 1, "quoted": MOST };
  for (const [name, value] of Object.entries(junk)) {
    for (const secrets of [SECRETS.slice(0, 1), SECRETS]) {
      await t.step(`${name}, ${secrets.length} secrets`, async () => {
        const sessions = new Sessions(new MemorySessionStore(), { secrets });
        const cookie = header("__Host-session", 40_000, value);
        const request = new Request("https://localhost/", { headers: { cookie } });
        const wanted = (looks[name] ?? 0) * secrets.length;
        assertEquals(await signatures(() => sessions.cookie.read(request)), wanted, "read()");
        assertEquals(await signatures(() => sessions.cookie.readAll(request)), wanted, "readAll()");
        const handler = sessions.withSession(async (_, session) => Response.json(await session.get() ?? null));
        assertLessOrEqual(await signatures(() => handler(request)), 2 * wanted, "withSession()");
      });
    }
  }
});

Deno.test("SessionCookie finds a token among junk that has not its form", async () => {
  const sessions = new Sessions(new MemorySessionStore(), { secrets: SECRETS });
  const session = await sessions.create("ada", {});
  const headers = new Headers();
  sessions.cookie.write(headers, session);
  const own = headers.get("set-cookie")!.split(";")[0]!;
  for (const junk of [(i: number) => String(i).padStart(43, "A"), () => ".".repeat(200), () => "x".repeat(86)]) {
    const cookie = `${header("__Host-session", 20_000, junk)}; ${own}`;
    assertEquals(sessions.cookie.read(new Headers({ cookie })), session.id);
  }
  const few = Array.from({ length: MOST - 1 }, (_, i) => `__Host-session=${forged(i)}`).join("; ");
  assertEquals(sessions.cookie.read(new Headers({ cookie: `${few}; ${own}` })), session.id);
});

Deno.test("SessionCookie over plain HTTP keeps what others have put there, at the cost of 8 candidates", async () => {
  const sessions = new Sessions(new MemorySessionStore(), { secrets: SECRETS, cookie: { insecure: true } });
  const cookie = header("session", 40_000, (i) => [0, 1, 2].map((part) => forged(3 * i + part)).join("~"));
  const request = new Request("http://localhost/", { headers: { cookie } });
  assertEquals(await signatures(() => sessions.cookie.readAll(request)), MOST * SECRETS.length);
  assertEquals(await signatures(() => sessions.cookie.others(request, () => false)), MOST * SECRETS.length);
  assertEquals(sessions.cookie.others(request, () => false).length, 7);
});
