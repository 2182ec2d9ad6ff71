/** What the service is told by its environment, besides what `connect()` reads there. */
export interface Settings {
  /** The address to listen on: all of them, unless it is said. */
  hostname: string;
  /** The port to listen on. */
  port: number;
  /** For how long it goes on answering after SIGTERM, in milliseconds, until no proxy sends requests any more. */
  drain: number;
  /** The name of the task: that of its container. */
  task: string;
}

/** Reads the settings. */
export function readSettings(): Settings {
  return {
    hostname: Deno.env.get("HOST") || "0.0.0.0",
    port: wholeNumber("PORT", Deno.env.get("PORT") || "8000", 65_535),
    drain: wholeNumber("DRAIN", (Deno.env.get("DRAIN") || "20s").replace(/s$/, ""), 600) * 1000,
    task: Deno.env.get("HOSTNAME") || "here",
  };
}

function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= max) return value;
  throw new RangeError(`Cannot use ${name}: wanted a whole number from 0 to ${max}, got ${JSON.stringify(text)}`);
}
