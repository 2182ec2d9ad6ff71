import type { Reports } from "./reports.ts";

/** `GET /reports/2026-11`: the report, or 202 while it is made. */
export function handler(reports: Pick<Reports, "get">): (request: Request) => Promise<Response> {
  return async (request) => {
    const [, month] = /^\/reports\/(\d{4}-\d{2})$/.exec(new URL(request.url).pathname) ?? [];
    if (request.method !== "GET" || month === undefined) return new Response("Not found", { status: 404 });
    const answer = await reports.get(month);
    if ("report" in answer) return Response.json(answer.report);
    return Response.json(answer, { status: 202, headers: { "retry-after": "1", "cache-control": "no-store" } });
  };
}
