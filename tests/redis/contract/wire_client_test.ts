import { WireClient } from "../../../src/redis/wire/client.ts";
import { testClient } from "./client_suite.ts";

function addressOf(text: string): { hostname: string; port: number; username?: string; password?: string } {
  const { hostname, port, username, password } = new URL(text);
  return {
    hostname,
    port: Number(port),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
  };
}

testClient({
  name: "WireClient",
  subscribes: true,
  readsErrorsInLists: true,
  open: async (url) => {
    const client = new WireClient(addressOf(url));
    await client.start();
    return { client };
  },
});
