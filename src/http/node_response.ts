// deno-lint-ignore-file no-explicit-any -- frameworks state their functions with types of their own
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import { setImmediate } from "node:timers";
import { headersFrom } from "../web/given_headers.ts";

/** The part of a response of `node:http` that is used: Express's is one, and Fastify's `reply.raw`. */
export interface NodeResponseLike {
  /** The status. */
  statusCode: number;
  /** The words beside it. */
  statusMessage?: string | undefined;
  /** Whether the head has been sent. */
  readonly headersSent: boolean;
  /** Whether the connection has ended. */
  readonly destroyed?: boolean;
  /** The headers that are set. */
  getHeaders(): { readonly [name: string]: number | string | readonly string[] | undefined };
  /** Sets a header. */
  setHeader(name: string, value: number | string | readonly string[]): unknown;
  /** Takes a header away. */
  removeHeader(name: string): void;
  /** Sends the head. */
  writeHead(status: number, ...more: any[]): unknown;
  /** Sends a part of the body. */
  write(chunk: any, ...more: any[]): boolean;
  /** Sends the rest. */
  end(...more: any[]): unknown;
  /** Listens. */
  on(event: string, listener: (...args: any[]) => void): unknown;
  /** How many listeners of one event there may be before Node.js warns. */
  getMaxListeners?(): number;
  /** Says how many. */
  setMaxListeners?(count: number): unknown;
  /** Listens no more. */
  removeListener(event: string, listener: (...args: any[]) => void): unknown;
  /** Tells listeners. */
  emit(event: string, ...args: any[]): unknown;
}

/** What a handler sends. */
export interface Captured {
  /** The response, as soon as its head is there. */
  readonly response: Promise<Response>;
  /** The status of the handler, where a `Response` cannot have it: one of 600 to 999. */
  readonly status: () => number | undefined;
  /** Whether what the handler sends goes nowhere, as behind a status of 204. */
  readonly bodiless: () => boolean;
  /** Resolves when the handler has sent all. */
  readonly ended: Promise<void>;
  /** Does something by the response's own methods, which a handler that still sends does not see. */
  readonly outside: <T>(run: () => T) => T;
  /** Gives the response of `node:http` its own methods back. */
  readonly restore: () => void;
}

type Callback = ((error?: Error | null) => void) | undefined;
/** A response whose methods take anything. */
export type Loose = Record<string, (...args: unknown[]) => unknown>;

const METHODS = ["writeHead", "write", "end", "flushHeaders", "_implicitHeader"] as const;
const LISTENING = ["on", "addListener", "once", "removeListener", "off"] as const;
const REPLACED = [...METHODS, ...LISTENING, "headersSent", "writableEnded", "writableNeedDrain", "destroy"] as const;
const encoder = new TextEncoder();
/** As many writes that go nowhere as there may be in one turn of the event loop. */
const MOST_UNSENT = 1024;
/** What a `Response` has instead of a status beyond it. */
const LAST_STATUS = 599;
/** As many listeners of an event as are added at the most between a response and its handler. */
const OWN_LISTENERS = 5;

/**
 * Takes what a handler sends by a response of `node:http` before it goes out, as a `Response` whose body goes on as it
 * comes.
 *
 * @param target The response, which the handler is given afterwards.
 * @param options `patient`: what is sent after the connection was closed is taken, too.
 * @returns What is sent.
 */
export function capture(target: NodeResponseLike, { patient = false }: { patient?: boolean } = {}): Captured {
  const own = target as unknown as Loose & { statusCode: number; statusMessage?: string };
  const { promise: response, resolve, reject } = Promise.withResolvers<Response>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let head = false;
  let none = false;
  let over = false;
  let done = false;
  let unsent = 0;
  // The handler waits until there is room in this body, and who sends it on until there is room in the connection.
  const room = new EventEmitter().setMaxListeners(0);
  const tellRoom = () => void room.emit("drain");
  const body = new ReadableStream<Uint8Array>({
    start: (given) => void (controller = given),
    pull: () => void (head && tellRoom()),
    cancel() {
      over = true;
      tellRoom();
    },
  }, { highWaterMark: 16 });
  const isFull = () => head && (controller?.desiredSize ?? 0) <= 0;
  const begin = (status: number, first?: unknown, second?: unknown) => {
    if (head) return;
    if (!(status >= 100 && status <= 999)) throw new RangeError(`Cannot answer: wanted a status, got ${status}`);
    const given = typeof first === "object" && first !== null ? first : second;
    const headers = headersFrom(target.getHeaders());
    const pairs = [...pairsOf(given)];
    for (const [name] of pairs) headers.delete(name); // first, as a list may name one several times
    for (const [name, value] of pairs) {
      for (const one of Array.isArray(value) ? value : [value]) headers.append(name, String(one));
    }
    own.statusCode = status;
    head = true;
    none = status < 200 || [204, 205, 304].includes(status);
    if (none) over = true; // nobody reads what is sent, so nobody would ask for more
    resolve(new Response(none ? null : body, { status: Math.min(Math.max(200, status), LAST_STATUS), headers }));
  };
  const push = (chunk: unknown, encoding: unknown) => {
    if (chunk === undefined || chunk === null || over) return;
    const bytes = typeof chunk !== "string" ? chunk as Uint8Array : bytesOf(chunk, encoding);
    if (bytes.length > 0) controller?.enqueue(new Uint8Array(bytes));
  };
  let gone = false;
  const fail = (why: string) => {
    over = true;
    const error = new Error(`Cannot answer the request: ${why} before the response had ended`);
    if (!head) reject(error);
    else controller?.error(error);
  };
  const closed = () => {
    gone = true;
    if (!over && !patient) fail("the connection was closed");
  };
  // Who destroys the response of a visitor who is there, as pipeline() does for a source that broke, has failed.
  const { destroy } = own;
  const destroyed = (...why: unknown[]) => {
    if (!over && !gone) fail("it was destroyed");
    return destroy?.apply(own, why);
  };
  const replaced: Loose = {
    writeHead(status, first, second) {
      // Node.js throws here, and what is made so ends with its connection.
      if (head && !over) fail("its head was sent once more");
      begin(status as number, first, second);
      return target;
    },
    // By name, since middleware may have put its own in their places.
    _implicitHeader: () => void own.writeHead!(own.statusCode),
    flushHeaders: () => void (head || own._implicitHeader!()),
    write(chunk, encoding, callback) {
      if (!head) own._implicitHeader!();
      push(chunk, encoding);
      called(callback ?? encoding);
      if (!over) return !isFull();
      // What goes nowhere is taken at once, but for a source without an end, which would leave nothing to others.
      if (++unsent % MOST_UNSENT !== 0) return true;
      setImmediate(tellRoom);
      return false;
    },
    end(chunk, encoding, callback) {
      if (!head) own._implicitHeader!();
      if (typeof chunk !== "function") push(chunk, encoding);
      if (!over) controller?.close();
      over = done = true;
      end();
      called([chunk, encoding, callback].find((one) => typeof one === "function"));
      return target;
    },
  };
  for (const name of LISTENING) {
    const listen = own[name];
    if (listen) {
      replaced[name] = (event, listener) => {
        if (event !== "drain") listen.call(own, event, listener);
        else room[name]("drain", listener as () => void);
        return target;
      };
    }
  }
  let outer = descriptorsOf(own);
  if (destroy) replaced.destroy = destroyed;
  for (const [name, value] of Object.entries(replaced)) {
    Object.defineProperty(own, name, { value, configurable: true, writable: true });
  }
  Object.defineProperty(own, "headersSent", { get: () => head, configurable: true });
  Object.defineProperty(own, "writableEnded", { get: () => done, configurable: true });
  Object.defineProperty(own, "writableNeedDrain", { get: () => !over && isFull(), configurable: true });
  target.on("close", closed);
  // What is in front and what is behind listen to the same response: that is no leak.
  if (target.getMaxListeners) target.setMaxListeners?.(target.getMaxListeners() + OWN_LISTENERS);
  let restored = false;
  let isOutside = false;
  const restore = () => {
    if (restored) return;
    restored = true;
    target.removeListener("close", closed);
    if (!isOutside) describeAgain(own, outer);
    if (!done) target.on("drain", tellRoom); // who still sends does so to the connection
  };
  const outside = <T>(run: () => T): T => {
    if (restored || isOutside) return run();
    const inner = descriptorsOf(own); // what is behind may have put its own in front of what is replaced
    describeAgain(own, outer);
    isOutside = true;
    try {
      return run();
    } finally {
      isOutside = false;
      if (!restored) {
        outer = descriptorsOf(own);
        describeAgain(own, inner);
      }
    }
  };
  const status = () => own.statusCode > LAST_STATUS ? own.statusCode : undefined;
  return { response, status, bodiless: () => none, ended, outside, restore };
}

type Descriptors = readonly (readonly [name: string, PropertyDescriptor | undefined])[];

function descriptorsOf(own: object): Descriptors {
  return REPLACED.map((name) => [name, Object.getOwnPropertyDescriptor(own, name)]);
}

function describeAgain(own: object, known: Descriptors): void {
  for (const [name, descriptor] of known) {
    if (descriptor) Object.defineProperty(own, name, descriptor);
    else delete (own as Record<string, unknown>)[name];
  }
}

/** Headers as `writeHead()` takes them: an object, a flat list, or a list of pairs. */
function* pairsOf(given: unknown): Generator<[string, unknown]> {
  if (typeof given !== "object" || given === null) return;
  if (!Array.isArray(given)) return yield* Object.entries(given);
  if (Array.isArray(given[0])) return yield* given as [string, unknown][];
  for (let i = 0; i + 1 < given.length; i += 2) yield [String(given[i]), given[i + 1]];
}

function bytesOf(text: string, encoding: unknown): Uint8Array {
  if (typeof encoding !== "string" || /^utf-?8$/i.test(encoding)) return encoder.encode(text);
  return Buffer.isEncoding(encoding) ? Buffer.from(text, encoding) : encoder.encode(text);
}

function called(callback: unknown): void {
  if (typeof callback === "function") queueMicrotask(() => (callback as NonNullable<Callback>)());
}
