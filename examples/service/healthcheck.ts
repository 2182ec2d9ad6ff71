/**
 * Asks the service in the same container how it is, and ends with 0 or 1.
 *
 * @module
 */
const response = await fetch("http://127.0.0.1:8000/health", { signal: AbortSignal.timeout(4000) });
await response.body?.cancel();
Deno.exit(response.ok ? 0 : 1);
