import { inProcesses } from "../contender_processes.ts";
import { compare } from "../rounds.ts";
import type { Scenario } from "../scenario.ts";

const SESSIONS = import.meta.resolve("../contenders/sessions.ts");
const [ROLLED, EACH_TIME, PEER] = [
  "get, rolled every 5 min",
  "get, rolled each time",
  "connect-redis get + touch",
] as const;

/** A request that reads its session and changes nothing: one round trip, against two of express-session. */
export const SESSIONS_GET: Scenario = {
  name: "sessions-get",
  async run({ server, rounds }) {
    const rates = await inProcesses(SESSIONS, [ROLLED, EACH_TIME, PEER], [server.url], { callers: 64, rounds });
    const work = "session, 64 callers";
    const peers = new Map([...rates].filter(([name]) => name !== EACH_TIME));
    // Writing each time is what the peer does, and what touchEvery is there to save.
    const without = new Map([...rates].filter(([name]) => name !== ROLLED));
    return [...compare(work, peers, [ROLLED], { [PEER]: 1.6 }), ...compare(work, without, [EACH_TIME])];
  },
};
