import { connect } from "@larder/larder";
import { cacheResponse, health, metrics, rateLimit, session } from "@larder/larder/express";
import express from "express";
import { handler } from "./build/handler.js";

const redis = await connect({ url: "memory:", sessions: { cookie: { insecure: true } } });
const app = express();
app.get("/health", health(redis));
app.get("/metrics", metrics(redis));
app.use(rateLimit(redis, { "POST /login": "AUTH", "*": "DEFAULT" }));
app.use(session(redis));
app.use("/pages", cacheResponse(redis, { ttl: "30ms", staleWhileRevalidate: "1h" }));
app.use(handler);
app.listen(Number(process.env.PORT), "127.0.0.1");
