/** In which words servers name a command that a user may not run, or that they do not have. */
const NAMED = [
  /\bto run the '([^']+)' command/,
  /^\w+ unknown (?:redis )?command ['`]([^'`]+)/i,
  /\buser may not run ([A-Z][A-Z|, ]*)$/,
];
/** In which words they say so without a name: of a command within a script. */
const UNNAMED = /^\w+ (The user executing the script can't run this command|unknown (redis )?command)/i;

/**
 * The command that an error reply says the user may not run, or the server does not have.
 *
 * @param message The text of the reply.
 * @returns Its name in capitals; empty where the reply does not say which, `undefined` where it is about something
 * else.
 */
export function lackedCommand(message: string): string | undefined {
  for (const pattern of NAMED) {
    const name = pattern.exec(message)?.[1];
    if (name !== undefined) return name.toUpperCase();
  }
  return UNNAMED.test(message) ? "" : undefined;
}
