import { type CallHandler, type ExecutionContext, type NestInterceptor, SetMetadata } from "@nestjs/common";
import type { Larder } from "@larder/larder";
import { from, lastValueFrom, type Observable } from "rxjs";

/** How what a handler gives is kept. */
export interface CachedOptions {
  readonly ttl: number | string;
  readonly staleWhileRevalidate?: number | string;
  readonly tags?: string[];
}

const CACHED = "larder:cached";

/** A decorator: what the handler gives is kept by the path and query of the request, for everybody. */
export const Cached = (options: CachedOptions): MethodDecorator => SetMetadata(CACHED, options);

/** Keeps what handlers with `@Cached()` give. */
export class CachedInterceptor implements NestInterceptor {
  readonly #redis: Larder;

  constructor(redis: Larder) {
    this.#redis = redis;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const options: CachedOptions | undefined = Reflect.getMetadata(CACHED, context.getHandler());
    const { method, originalUrl } = context.switchToHttp().getRequest<{ method: string; originalUrl: string }>();
    if (!options || method !== "GET") return next.handle();
    const { cache } = this.#redis;
    return from(cache.getOrSet(`page:${originalUrl}`, () => lastValueFrom(next.handle()), options));
  }
}
