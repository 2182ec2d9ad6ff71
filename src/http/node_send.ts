import type { Captured, Loose, NodeResponseLike } from "./node_response.ts";

/**
 * Sends a response by one of `node:http`: what it has of its own goes, but for what `keep` names.
 *
 * @param captured What a handler sends by the same response, where that is what is sent: it may go on meanwhile.
 */
export async function send(
  target: NodeResponseLike,
  response: Response,
  keep: (name: string) => boolean = () => false,
  captured?: Captured,
): Promise<void> {
  const own = target as unknown as Loose;
  const outside = captured?.outside ?? (<T>(run: () => T) => run());
  const status = captured?.status() ?? response.status;
  const reader = response.body?.getReader();
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const gone = () => {
    close();
    reader?.cancel().catch(() => {});
  };
  target.on("close", gone);
  try {
    outside(() => {
      for (const name of Object.keys(target.getHeaders())) if (!keep(name)) target.removeHeader(name);
      const cookies = response.headers.getSetCookie();
      for (const [name, value] of response.headers) if (name !== "set-cookie") target.setHeader(name, value);
      if (cookies.length > 0) target.setHeader("set-cookie", cookies);
      target.statusCode = status;
      own.writeHead!(status);
      // A stream of events begins with its head.
      if (reader) own.flushHeaders?.();
    });
    while (reader && !target.destroyed) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!outside(() => own.write!(value)) && !target.destroyed) await drained(target, outside);
    }
    // Whoever pipes what is not sent would take an end that is not his own for a lost connection.
    if (captured?.bodiless()) await Promise.race([captured.ended, closed]);
    outside(() => own.end!());
    captured?.ended.then(captured.restore); // who sends on is heard no more
  } catch (error) {
    outside(() => own.destroy?.(error)); // the head has gone: nothing else tells that this is not all
  } finally {
    target.removeListener("close", gone);
  }
}

function drained(target: NodeResponseLike, outside: <T>(run: () => T) => T): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const events = ["drain", "close"];
  const go = () => {
    outside(() => events.forEach((event) => target.removeListener(event, go)));
    resolve();
  };
  outside(() => events.forEach((event) => target.on(event, go)));
  return promise;
}
