import { connect } from "@larder/larder";
import { cacheResponse, health, metrics, rateLimit, session, sessionOf } from "@larder/larder/express";
import express from "express";
import { handler } from "./middleware/server/entry.mjs";

const redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
const app = express();
app.get("/health", health(redis));
app.get("/metrics", metrics(redis));
app.use(rateLimit(redis, { "POST /login": "AUTH", "*": "DEFAULT" }));
app.use(session(redis));
app.use("/pages", cacheResponse(redis, { ttl: "30ms", staleWhileRevalidate: "1h" }));
app.use((request, response, next) => handler(request, response, next, { session: sessionOf(request) }));
app.listen(Number(process.env.PORT), "127.0.0.1");
