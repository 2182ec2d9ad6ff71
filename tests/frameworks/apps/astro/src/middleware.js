const behind = (_context, next) => next(); // Express has done it all
const { onRequest } = process.env.BEHIND_EXPRESS ? { onRequest: behind } : await import("./alone.js");

export { onRequest };
