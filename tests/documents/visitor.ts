/** A question to a server, and the status that is wanted. */
export interface Exchange {
  method: string;
  path: string;
  /** Fields of a form. */
  form?: string;
  /** Any but that of a failure, if not given. */
  status?: number;
}

const TOLD = /^\/\/ (GET|HEAD|POST|PUT|PATCH|DELETE) (\/\S*)(?: (\S+=\S*))? → (\d{3})\b/gm;

/**
 * Finds what a document says of its server, in comments such as `// POST /login user=ada → 200`.
 *
 * @param code The code.
 * @returns The questions, in their order.
 */
export function exchangesOf(code: string): Exchange[] {
  return [...code.matchAll(TOLD)].map(([, method, path, form, status]) => ({
    method: method!,
    path: path!,
    ...(form !== undefined && { form }),
    status: Number(status),
  }));
}

/** Somebody who keeps cookies. */
export class Visitor {
  readonly #origin: string;
  readonly #cookies = new Map<string, string>();

  constructor(origin: string) {
    this.#origin = origin;
  }

  async ask({ method, path, form }: Exchange): Promise<{ status: number; text: string }> {
    const headers = new Headers();
    if (this.#cookies.size > 0) headers.set("cookie", [...this.#cookies].map((pair) => pair.join("=")).join("; "));
    const body = form === undefined ? null : new URLSearchParams(form);
    const response = await fetch(`${this.#origin}${path}`, { method, headers, body, redirect: "manual" });
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = "", ...attributes] = cookie.split(/; */);
      const [name = "", value = ""] = pair.split(/=(.*)/s);
      if (value === "" || attributes.some((attribute) => /^max-age=0$/i.test(attribute))) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return { status: response.status, text: await response.text() };
  }
}
