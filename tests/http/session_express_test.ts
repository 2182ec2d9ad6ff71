import { assertEquals } from "@std/assert";
import express from "express";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "../../mod.ts";
import { fromNodeRequest } from "../../src/http/mod.ts";
import { closeNodeServer } from "../support/node_server.ts";
import { setHeaders } from "../support/oldest.ts";

/** The part of Express's response that is used: the package has no types. */
interface ExpressResponse extends ServerResponse {
  set(name: string, value: string | number): this;
  cookie(name: string, value: string): this;
  send(body: string): this;
}

Deno.test("RequestSession.headers() keeps what a response of Express has already", async () => {
  await using redis = await connect({ url: "memory:" });
  const app = express();
  app.use((_request: unknown, response: ExpressResponse, next: () => void) => {
    response.set("Vary", "Accept-Encoding").set("Cache-Control", "no-store").set("X-Number", 7);
    response.cookie("csrf", "1").cookie("lang", "en");
    next();
  });
  app.all("/:what", async (incoming: IncomingMessage & { params: { what: string } }, response: ExpressResponse) => {
    const { request, info } = fromNodeRequest(incoming);
    const session = redis.sessions.forRequest(request, info);
    if (incoming.params.what === "login") await session.regenerate({ userId: "ada" });
    else await session.get();
    await session.settle();
    setHeaders(response, session.headers(response.getHeaders())).send("ok");
  });
  const server = app.listen(0, "127.0.0.1");
  try {
    await new Promise((resolve) => server.once("listening", resolve));
    const ask = async (path: string, cookie = "") => {
      const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`, {
        method: "POST",
        headers: { cookie },
      });
      await response.body?.cancel();
      const { headers } = response;
      const names = headers.getSetCookie().map((one) => one.split("=")[0]);
      const said = ["cache-control", "vary", "x-number"].map((name) => headers.get(name));
      return { said, names, cookie: headers.getSetCookie().at(-1)!.split(";")[0]! };
    };
    const login = await ask("login");
    assertEquals(login.said, ["no-store", "Accept-Encoding, Cookie", "7"]);
    assertEquals(login.names, ["csrf", "lang", "__Host-session"]);
    const page = await ask("page", login.cookie);
    assertEquals([page.said, page.names], [["no-store", "Accept-Encoding, Cookie", "7"], ["csrf", "lang"]]);
  } finally {
    await closeNodeServer(server);
  }
});
