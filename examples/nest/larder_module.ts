import "reflect-metadata";
import type { DynamicModule, OnApplicationShutdown } from "@nestjs/common";
import { APP_GUARD, APP_INTERCEPTOR } from "@nestjs/core";
import { connect, type ConnectOptions, type Larder } from "@larder/larder";
import { CachedInterceptor } from "./cached_interceptor.ts";
import { CacheService } from "./cache_service.ts";
import { type LimitRules, LimitsGuard } from "./limits_guard.ts";

/** What `connect()` gives: `@Inject(LARDER) redis: Larder`. */
export const LARDER: unique symbol = Symbol("larder");

/** Closes the connection with the app. */
class Lifetime implements OnApplicationShutdown {
  readonly #redis: Larder;

  constructor(redis: Larder) {
    this.#redis = redis;
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#redis[Symbol.asyncDispose]();
  }
}

/** Larder for a whole app: `LarderModule.forRoot({ rules })`. Gives `LARDER` and `CacheService` to be injected. */
export class LarderModule {
  /** Connects, counts requests by the rules, and keeps what is `@Cached()`. */
  static forRoot({ rules, ...options }: ConnectOptions & { rules: LimitRules }): DynamicModule {
    const inject = [LARDER];
    return {
      module: LarderModule,
      global: true,
      providers: [
        { provide: LARDER, useFactory: () => connect(options) },
        { provide: CacheService, inject, useFactory: (redis: Larder) => new CacheService(redis) },
        { provide: Lifetime, inject, useFactory: (redis: Larder) => new Lifetime(redis) },
        { provide: APP_GUARD, inject, useFactory: (redis: Larder) => new LimitsGuard(redis, rules) },
        { provide: APP_INTERCEPTOR, inject, useFactory: (redis: Larder) => new CachedInterceptor(redis) },
      ],
      exports: [LARDER, CacheService],
    };
  }
}
