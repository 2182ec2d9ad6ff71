import { NAMED, openNamed } from "../../support/contract_target.ts";
import { testClient } from "./client_suite.ts";

// Those of one server have files of their own, which `deno task test` runs; those of a cluster: copies_test.ts.
if (NAMED && !NAMED.cluster) {
  testClient({
    name: NAMED.name,
    subscribes: NAMED.subscribes !== false,
    readsErrorsInLists: NAMED.subscribes !== false,
    open: async (url) => {
      const { client, close, ping } = await openNamed({ port: Number(new URL(url).port) });
      return { client, ...(ping ? { owner: { ping, close } } : { close }) };
    },
  });
}
