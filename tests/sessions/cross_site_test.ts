import { assertEquals } from "@std/assert";
import type { SessionsOptions } from "../../src/sessions/options.ts";
import { ask, onBothStores, pairOf, serve } from "./served.ts";

/**
 * What Chromium says of a form that another site sent, of a link there, of a page of our own, of an address that was
 * typed in.
 */
const FORM = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
const OWN = ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
const TYPED = ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
const FRAME = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"];
const SIBLING = ["Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"];

/** Whether a request that leaves something to remember is answered with a cookie, by method and how it came about. */
const CASES: [cookie: SessionsOptions["cookie"], method: string, headers: string[], begins: boolean][] = [
  [{}, "POST", FORM, false],
  [{}, "PUT", FORM, false],
  [{}, "GET", FORM, true],
  [{}, "GET", FRAME, false],
  [{}, "POST", OWN, true],
  [{}, "POST", TYPED, true],
  [{}, "POST", SIBLING, true],
  [{}, "POST", [], true],
  [{ sameSite: "strict" }, "GET", FORM, false],
  [{ sameSite: "strict" }, "POST", FORM, false],
  [{ sameSite: "strict" }, "GET", OWN, true],
  [{ sameSite: "none" }, "POST", FORM, true],
];

onBothStores("A request that another site caused puts no visitor's session in the place of a login", async (open) => {
  for (const [cookie, method, headers, begins] of CASES) {
    await using redis = await open({ namespace: crypto.randomUUID(), sessions: { cookie } });
    let called = false;
    await using service = serve(redis.sessions.withSession<unknown>(async (request, session) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/callback") await session.create("ada", {});
      if (pathname === "/renewed") await session.regenerate({ userId: "ada" });
      if (pathname === "/plain") await session.create(null, { n: 1 });
      if (pathname !== "/paid") return new Response((await session.get())?.userId);
      const updated = await session.update(() => {
        called = true;
        return { paid: true };
      });
      return new Response(String(updated?.userId));
    }));
    const what = `${cookie?.sameSite ?? "lax"} ${method} ${headers[0]} ${headers[2]}`;
    const paid = await ask(service, "/paid", headers, { method });
    assertEquals([paid.cookies.length, paid.body, called], [Number(begins), begins ? "" : "undefined", begins], what);
    const plain = await ask(service, "/plain", headers, { method });
    assertEquals(plain.cookies.length, Number(begins), what);

    // A login is one, wherever the request comes from, and who has a cookie is known.
    for (const path of ["/callback", "/renewed"]) {
      const login = await ask(service, path, headers, { method });
      assertEquals([login.cookies.length, login.body], [1, "ada"], what);
      const known = await ask(service, "/paid", [...headers, `Cookie: ${pairOf(login)}`], { method });
      assertEquals([known.body, known.cookies], ["ada", []], what);
    }
  }
});
