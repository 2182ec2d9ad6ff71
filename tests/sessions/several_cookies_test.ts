import { assertEquals } from "@std/assert";
import type { Larder } from "../../mod.ts";
import { RedisServer } from "../support/redis_server.ts";
import { RedisSessionHarness } from "./harness.ts";
import { ask, onBothStores, pairOf, serve, type Service } from "./served.ts";

/** Serves `/who`, `POST /login/NAME`, `POST /logout`, `POST /note`. */
function accounts(redis: Larder): Service {
  return serve(redis.sessions.withSession<unknown>(async (request, session) => {
    const [, what, who] = new URL(request.url).pathname.split("/");
    if (what === "login") return new Response((await session.create(who!, {})).userId);
    if (what === "logout") return new Response(String(await session.destroy()));
    if (what === "note") return new Response((await session.update({ n: 1 }))?.userId);
    return new Response((await session.get())?.userId || "nobody");
  }));
}

const POST = { method: "POST" };

onBothStores("Of several cookies of the name the first that is of a session counts", async (open) => {
  await using redis = await open();
  await using service = accounts(redis);
  const login = async (who: string) => pairOf(await ask(service, `/login/${who}`, [], POST));
  const [ada, bob] = [await login("ada"), await login("bob")];
  const name = ada.split("=")[0];
  const dead = Array.from({ length: 9 }, () => `${name}=${token()}`);
  const who = async (...cookies: string[]) => {
    const answer = await ask(service, "/who", [`Cookie: ${cookies.join("; ")}`]);
    assertEquals(answer.cookies, [], "none is removed because another is dead");
    return answer.body;
  };
  assertEquals(await who(ada, bob), "ada");
  assertEquals(await who(bob, ada), "bob");
  assertEquals(await who(...dead.slice(0, 7), ada, bob), "ada");
  assertEquals(
    await who(`${name}=garbage`, `${name}=`, `${name}`, ...dead.slice(0, 7), bob),
    "bob",
    "it may be a token, or not",
  );
  assertEquals(await who(dead[0]!, dead[0]!, ...dead.slice(0, 7), ada), "ada", "the same twice is one");
  assertEquals(await who(...dead.slice(0, 8), ada), "nobody", "8 are looked up");
  assertEquals(await who(...dead), "nobody");

  // A change is one of the session that counts, and a logout leaves none.
  const note = await ask(service, "/note", [`Cookie: ${dead[0]}; ${ada}`], POST);
  assertEquals([note.body, note.cookies], ["ada", []]);
  const out = await ask(service, "/logout", [`Cookie: ${dead[0]}; ${ada}; ${bob}`], POST);
  assertEquals([out.body, out.cookies.length], ["true", 1]);
  assertEquals(await who(dead[0]!, ada, bob), "nobody");

  // A login ends what there was under any of them.
  const carol = await login("carol");
  const dave = await ask(service, "/login/dave", [`Cookie: ${dead[0]}; ${carol}`], POST);
  assertEquals(await who(carol), "nobody");
  assertEquals(await who(pairOf(dave), carol), "dave");
});

Deno.test("Several cookies of the name are looked up in one read", async () => {
  await using server = await RedisServer.start();
  await using harness = new RedisSessionHarness(server);
  let writes: number[] = [];
  const sessions = await harness.openOn((client) => {
    const pipeline = client.pipeline.bind(client);
    client.pipeline = (commands) => (writes.push(commands.length), pipeline(commands));
    return client;
  });
  const { id } = await sessions.create("ada", {});
  await sessions.get(id); // the server knows the script
  writes = [];
  const cookie = [...Array.from({ length: 7 }, token), id].map((one) => `__Host-session=${one}`).join("; ");
  const session = sessions.forRequest(new Request("https://localhost/", { headers: { cookie } }));
  // Eight records, the newest revocation and the time; a script for all that are not there.
  assertEquals([(await session.get())?.userId, writes], ["ada", [10, 1]]);
});

onBothStores("Two services on one localhost do not log each other out", async (open) => {
  const secrets = ["a secret of more than 32 characters"];
  await using one = await open({ sessions: { cookie: { insecure: true } } });
  await using two = await open({ namespace: "two", sessions: { cookie: { insecure: true }, secrets } });
  await using here = accounts(one);
  await using there = accounts(two);
  let jar = "";
  /** As a browser does: all ports have the one cookie. */
  const visit = async (service: Service, path: string) => {
    const answer = await ask(service, path, jar === "" ? [] : [`Cookie: ${jar}`], path === "/who" ? {} : POST);
    if (answer.cookies.length > 0) jar = answer.cookies[0]!.includes("Max-Age=0") ? "" : pairOf(answer);
    return answer.body;
  };
  const who = async () => [await visit(here, "/who"), await visit(there, "/who")];

  await visit(here, "/login/ada");
  assertEquals(/^session=[\w-]{43}$/.test(jar), true, "alone it is as it always was");
  assertEquals(await who(), ["ada", "nobody"]);
  await visit(there, "/note");
  assertEquals(await who(), ["ada", "nobody"], "a visitor there");
  await visit(there, "/login/bob");
  assertEquals(await who(), ["ada", "bob"]);
  await visit(here, "/login/carol");
  assertEquals(await who(), ["carol", "bob"]);
  assertEquals(await one.sessions.list("ada"), [], "a login ends what was there");
  for (let i = 0; i < 20; i++) await visit(i % 2 ? here : there, `/login/${i}`);
  assertEquals(await who(), ["19", "18"]);
  assertEquals(jar.split("~").length, 2, "it does not grow");
  await visit(here, "/logout");
  assertEquals(await who(), ["nobody", "18"]);
  await visit(there, "/logout");
  assertEquals([await who(), jar], [["nobody", "nobody"], ""]);
});

/** What looks like a token. */
function token(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
