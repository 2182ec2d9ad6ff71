import type { Handler } from "../service/router.ts";

const FOLDER = new URL("./page/", import.meta.url);
const STYLE = /<link rel="stylesheet" href="([\w.]+)">/g;
const SCRIPT = /<script type="module" src="([\w.]+)"><\/script>/g;

/**
 * Reads the page and puts its style and scripts into it, so that it needs nothing else. Its policy allows those texts
 * and no others.
 */
export async function page(): Promise<Handler> {
  const styles: string[] = [];
  const scripts: string[] = [];
  const read = (name: string) => Deno.readTextFile(new URL(name, FOLDER));
  let html = await read("index.html");
  html = await replace(html, STYLE, async (name) => {
    styles.push(await read(name));
    return `<style>${styles.at(-1)}</style>`;
  });
  html = await replace(html, SCRIPT, async (name) => {
    scripts.push(await read(name));
    return `<script type="module">${scripts.at(-1)}</script>`;
  });
  const policy = [
    "default-src 'none'",
    `script-src ${await sources(scripts)}`,
    `style-src ${await sources(styles)}`,
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy,
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
  return () => new Response(html, { headers });
}

async function replace(text: string, pattern: RegExp, by: (name: string) => Promise<string>): Promise<string> {
  const parts: string[] = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    parts.push(text.slice(end, match.index), await by(match[1]!));
    end = match.index + match[0].length;
  }
  return parts.join("") + text.slice(end);
}

async function sources(texts: readonly string[]): Promise<string> {
  const hashes = await Promise.all(texts.map(async (text) => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
  }));
  return hashes.join(" ");
}
