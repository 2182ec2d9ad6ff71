/** An answer that says what is wrong. */
export function problem(status: number, detail: string, headers: HeadersInit = {}): Response {
  return Response.json({ status, detail }, { status, headers });
}
