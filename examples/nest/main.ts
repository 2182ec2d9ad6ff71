/**
 * NestJS with Larder: `deno run --allow-net --allow-env --allow-read --allow-sys examples/nest/main.ts`.
 *
 * Decorators are called as functions here, since Deno reads them as the standard has them and NestJS wants older ones;
 * what they would be stands beside.
 *
 * @module
 */
import { Controller, Get, type INestApplication, Inject, Module, Param, Post, Req } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ExpressAdapter } from "@nestjs/platform-express";
import type { ConnectOptions, Larder } from "@larder/larder";
import { health, metrics, session, sessionOf } from "@larder/larder/express";
import { Cached } from "./cached_interceptor.ts";
import { CacheService } from "./cache_service.ts";
import { LARDER, LarderModule } from "./larder_module.ts";
import type { LimitRules } from "./limits_guard.ts";

/** A user as the database has it. */
interface User {
  readonly id: string;
  readonly readAt: string;
}

class UsersController {
  readonly #cache: CacheService;

  constructor(cache: CacheService) {
    this.#cache = cache;
  }

  async find(id: string): Promise<User> {
    return await this.#cache.getOrSet(`user:${id}`, () => readUser(id), 300);
  }

  async change(id: string): Promise<{ changed: string }> {
    await this.#cache.del(`user:${id}`);
    return { changed: id };
  }

  list(): { at: string } {
    return { at: crypto.randomUUID() };
  }

  async login(request: Parameters<typeof sessionOf>[0]): Promise<{ user: string }> {
    return { user: (await sessionOf(request).regenerate({ userId: "ada" })).userId };
  }

  async me(request: Parameters<typeof sessionOf>[0]): Promise<{ user: string | null }> {
    return { user: (await sessionOf(request).get())?.userId ?? null };
  }
}

function readUser(id: string): Promise<User> {
  return Promise.resolve({ id, readAt: crypto.randomUUID() });
}

/** Puts the decorators of a method where they would stand. */
function method(
  name: keyof UsersController & string,
  decorators: MethodDecorator[],
  ...parameters: ParameterDecorator[]
) {
  const { prototype } = UsersController;
  const descriptor = Object.getOwnPropertyDescriptor(prototype, name)!;
  for (const decorate of decorators) decorate(prototype, name, descriptor);
  parameters.forEach((decorate, index) => decorate(prototype, name, index));
}

Controller()(UsersController); // @Controller()
Inject(CacheService)(UsersController, undefined, 0); // constructor(@Inject(CacheService) cache: CacheService)
method("find", [Get("users/:id")], Param("id")); // @Get("users/:id") find(@Param("id") id: string)
method("change", [Post("users/:id")], Param("id"));
method("list", [Get("users"), Cached({ ttl: "1m", staleWhileRevalidate: "1h", tags: ["users"] })]);
method("login", [Post("login")], Req());
method("me", [Get("me")], Req());

/** The app, as it is to be listened to. */
export async function open(options: ConnectOptions = {}): Promise<INestApplication> {
  const rules: LimitRules = { "POST /login": "AUTH", "*": "DEFAULT" };
  class App {}
  Module({ imports: [LarderModule.forRoot({ ...options, rules })], controllers: [UsersController] })(App);
  const app = await NestFactory.create(App, new ExpressAdapter(), { logger: ["error"], forceCloseConnections: true });
  const redis = app.get<Larder>(LARDER);
  app.use("/health", health(redis));
  app.use("/metrics", metrics(redis));
  app.use(session(redis));
  return app;
}

if (import.meta.main) await (await open()).listen(3000);
