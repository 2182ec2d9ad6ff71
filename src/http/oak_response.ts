/** A response as Oak makes it, on runtimes without `Response` by a library. */
export interface OakResponseLike {
  /** The status. */
  readonly status: number;
  /** The headers. */
  readonly headers: Headers;
  /** The body. */
  readonly body: unknown;
  /** Another of the same, which can be read. */
  clone(): { readonly body: unknown };
}

/** What makes the response in the end. */
export interface OakMaker {
  /** Makes it, or gives what was made. */
  toDomResponse(): Promise<OakResponseLike>;
}

type Change = (response: Response) => Response;

/** What is done to each response in the end, the innermost middleware's first. */
const changes = new WeakMap<OakMaker, Change[]>();

/**
 * Changes the headers of whatever Oak sends in the end, also where a middleware in front sets the body, or an error is
 * answered. What Oak makes is not changed: a handler may have given a response to `with()` that it keeps. Each time
 * that somebody asks for the response the change is made anew, so one that has been made already must be none.
 */
export function atEnd(response: OakMaker, change: Change): void {
  const known = changes.get(response);
  if (known) return void known.unshift(change);
  const all = [change];
  changes.set(response, all);
  const make = response.toDomResponse.bind(response);
  let given: OakResponseLike | undefined;
  let own: OakResponseLike | undefined;
  response.toDomResponse = async () => {
    const made = await make();
    if (made.status === 101 || made.status === 0) return made;
    if (made !== given || !own) [given, own] = [made, copyOf(made)];
    rewrite(own.headers, all);
    return own;
  };
}

/** Of the same kind: Oak knows its own by it. */
function copyOf(made: OakResponseLike): OakResponseLike {
  let kind = Object.getPrototypeOf(made);
  // A class that an app derives may be made in another way.
  while (kind.constructor.name !== "Response" && "body" in Object.getPrototypeOf(kind)) {
    kind = Object.getPrototypeOf(kind);
  }
  return new kind.constructor(made.body, made);
}

function rewrite(headers: Headers, all: readonly Change[]): void {
  let response = new Response(null, { headers: [...headers] });
  for (const change of all) response = change(response);
  const changed = new Set([...headers.keys(), ...response.headers.keys()]);
  for (const name of changed) headers.delete(name);
  for (const [name, value] of response.headers) headers.append(name, value);
}
