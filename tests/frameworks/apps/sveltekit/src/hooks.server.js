const { handle } = await (process.env.BEHIND_EXPRESS ? import("./behind.js") : import("./alone.js"));

export { handle };
