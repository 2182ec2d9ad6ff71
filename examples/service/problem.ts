/** An answer that says what is wrong, as RFC 9457 has it. */
export function problem(status: number, detail: string, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify({ status, detail }), {
    status,
    headers: { "content-type": "application/problem+json", ...headers },
  });
}
