/**
 * Lua for commands whose error is an answer, such as one about a key of another type.
 *
 * `ask(command, …)` runs a command and returns its error too, but for one: what the user may not do, or the server does
 * not have, ends the script with the server's words. Nobody takes "not allowed to look" for "nothing there".
 * `refuse(reply, command, …)` is the second half of it, for where most replies are no errors and time counts.
 */
export const ASK: string = `
local function refuse(reply, ...)
  local said = type(reply) == 'table' and reply.err
  if said and (string.find(said, 'NOPERM', 1, true) or string.find(said, 'The user executing', 1, true)
    or string.find(said, 'ACL failure', 1, true) or string.find(said, '[Uu]nknown [%w ]*command')) then
    redis.call(...)
  end
end
local function ask(...)
  local reply = redis.pcall(...)
  refuse(reply, ...)
  return reply
end
`;
