import type { RateLimiter } from "@larder/larder";
import { problem } from "../catalogue/problem.ts";
import type { Routes } from "../service/router.ts";

/** The limits that there are without being defined, the smallest first. */
const NAMES = ["AUTH", "DEFAULT", "API", "STATIC"] as const;

type Name = (typeof NAMES)[number];

/**
 * The rate limits of a visitor, told apart by address: `GET /live/limits` tells how they stand,
 * `POST /live/limits/AUTH?cost=1` is a call that counts, answered as any service would answer it, and
 * `DELETE /live/limits/AUTH` forgets what was counted.
 *
 * @param limits The limits.
 * @param changed Told that they do not stand any more as they did.
 */
export function limitRoutes(limits: RateLimiter, changed: () => void): Routes {
  return {
    "GET /live/limits": async (_, request, info) => {
      const id = limits.address(request, info);
      const states = await Promise.all(NAMES.map((name) => limits.peek(name, id)));
      return Response.json({ id, limits: states.map(({ results: [state] }) => ({ ...state })) });
    },
    "POST /live/limits/:name": async ({ name }, request, info) => {
      if (!isName(name)) return problem(404, "There is no such limit");
      const cost = Number(new URL(request.url).searchParams.get("cost") ?? 1);
      if (!Number.isInteger(cost) || cost < 1 || cost > 100) return problem(400, "Wanted a cost from 1 to 100");
      const result = await limits.check(name, limits.address(request, info), { cost });
      changed();
      if (!result.allowed) return result.response();
      const response = Response.json({ name, remaining: result.remaining });
      result.headers(response.headers);
      return response;
    },
    "DELETE /live/limits/:name": async ({ name }, request, info) => {
      if (!isName(name)) return problem(404, "There is no such limit");
      const done = await limits.reset(name, limits.address(request, info));
      changed();
      return Response.json({ name, done });
    },
  };
}

function isName(name: string | undefined): name is Name {
  return NAMES.includes(name as Name);
}
