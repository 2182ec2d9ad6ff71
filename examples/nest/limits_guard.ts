import type { CanActivate, ExecutionContext } from "@nestjs/common";
import type { Larder } from "@larder/larder";
import { rateLimit } from "@larder/larder/express";

/** Which limits hold where, as in `{ "POST /login": "AUTH", "*": "DEFAULT" }`. */
export type LimitRules = Parameters<Larder["rateLimit"]["gate"]>[0];

/** Counts each request by its route. Who is refused has his answer, 429, when Nest is told. */
export class LimitsGuard implements CanActivate {
  readonly #limit: ReturnType<typeof rateLimit>;

  constructor(redis: Larder, rules: LimitRules) {
    this.#limit = rateLimit(redis, rules);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    let result: { error?: unknown } | undefined;
    await this.#limit(http.getRequest(), http.getResponse(), (error) => result = { error });
    if (result?.error) throw result.error;
    return result !== undefined;
  }
}
