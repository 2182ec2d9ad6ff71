import { sessionOf } from "@larder/larder/express";

/** Behind the middleware of Express. */
export function handle({ event, resolve }) {
  event.locals.session = sessionOf(event.platform.req);
  return resolve(event);
}
