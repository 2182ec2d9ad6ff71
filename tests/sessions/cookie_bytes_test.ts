import { assertEquals } from "@std/assert";
import { ask, onBothStores, pairOf, serve } from "./served.ts";

/** What is white space to `trim()`, and not to a browser, as the bytes of a header and as what UTF-8 makes of it. */
const LOOKALIKES = ["\xa0", "\x85", "\xef\xbb\xbf", "\xe2\x80\x83", "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe3\x80\x80"];

for (const secrets of [[], ["a secret of more than 32 characters"]]) {
  const how = secrets.length ? ", signed" : "";
  onBothStores(`Cookies are told apart byte for byte${how}`, async (open) => {
    await using redis = await open({ sessions: { secrets } });
    await using service = serve(redis.sessions.withSession<unknown>(async (request, session) => {
      if (request.method === "POST") await session.create(new URL(request.url).search.slice(1), {});
      return new Response((await session.get())?.userId ?? "nobody");
    }));
    const login = async (who: string) => pairOf(await ask(service, `/?${who}`, [], { method: "POST" }));
    const who = async (cookie: string) => (await ask(service, "/", [`Cookie: ${cookie}`])).body;
    const [victim, attacker] = [await login("victim"), await login("attacker")];
    const [name, token] = attacker.split("=") as [string, string];

    assertEquals(await who(victim), "victim");
    for (const space of LOOKALIKES) {
      for (const planted of [`${space}${attacker}`, `${name}${space}=${token}`, `${space}${name}${space}=${token}`]) {
        assertEquals(await who(`${planted}; ${victim}`), "victim", JSON.stringify(planted));
        assertEquals(await who(planted), "nobody", JSON.stringify(planted));
      }
      for (const garbled of [`${name}=${space}${token}`, `${name}=${token}${space}`, `${name}="${token}${space}"`]) {
        assertEquals(await who(garbled), "nobody", JSON.stringify(garbled));
        assertEquals(await who(`${garbled}; ${victim}`), "victim", JSON.stringify(garbled));
      }
    }
    for (
      const other of ["session", "__host-session", "__HOST-Session", "__Host-session\0", "__Host-sessio%6E", "$Path"]
    ) {
      assertEquals(await who(`${other}=${token}`), other.includes("\0") ? "" : "nobody", other);
    }
    // Space and tab are white space, wherever browsers take them away.
    for (const same of [` ${attacker}`, `\t${attacker}\t`, `${name} \t= \t${token}`, `a=1;\t ${attacker} \t;b=2`]) {
      assertEquals(await who(same), "attacker", JSON.stringify(same));
    }
    // Several headers are one.
    const split = await ask(service, "/", ["Cookie: a=1", `Cookie: ${victim}`, "Cookie: b=2"]);
    assertEquals(split.body, "victim");
  });
}

onBothStores("A cookie of the name that a handler sets itself is replaced, and others stay", async (open) => {
  await using redis = await open();
  await using service = serve(redis.sessions.withSession<unknown>(async (_request, session) => {
    await session.create("ada", {});
    const response = new Response("in");
    for (
      const cookie of ["__Host-session=mine; Path=/", "__Host-session\t= mine", "\u00a0__Host-session=other", "a=1"]
    ) {
      response.headers.append("set-cookie", cookie);
    }
    return response;
  }));
  const { cookies } = await ask(service, "/");
  const names = cookies.map((cookie) => cookie.split("=")[0]);
  assertEquals(names.map((name) => name?.replaceAll(/[^\w-]/g, "?")).at(-1), "__Host-session");
  assertEquals([names.filter((name) => name === "__Host-session").length, names.includes("a")], [1, true]);
  assertEquals(cookies.some((cookie) => cookie.includes("mine")), false);
});
