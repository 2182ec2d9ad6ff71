import { assertEquals } from "@std/assert";
import { ConfigError, RedisError, UnavailableError } from "../../src/errors.ts";
import { connectionText } from "../../src/redis/connection_text.ts";

const SHA = "52b389b10900cb0f2d343a9a68c017502831867b";

Deno.test("connectionText() says what the connection said, on one line, with a hint", () => {
  const coded = (message: string, code: string) => Object.assign(new Error(message), { code });
  const cases: [unknown, string][] = [
    [new Error("Connection refused (os error 111)"), "Connection refused (os error 111) (nothing listens there)"],
    [
      coded("connect ECONNREFUSED 127.0.0.1:1", "ECONNREFUSED"),
      "connect ECONNREFUSED 127.0.0.1:1 (nothing listens there)",
    ],
    [
      new Error("failed to lookup address information: Name or service not known"),
      "failed to lookup address information: Name or service not known (no such host)",
    ],
    [
      new Error("invalid peer certificate: UnknownIssuer"),
      "invalid peer certificate: UnknownIssuer (UnknownIssuer: give its authority in tls.caCerts)",
    ],
    [
      new Error("received fatal alert: CertificateRequired"),
      "received fatal alert: CertificateRequired (it wants a certificate of the client)",
    ],
    [
      new RedisError("WRONGPASS invalid username-password pair or user is disabled."),
      "WRONGPASS invalid username-password pair or user is disabled (has its password been changed?)",
    ],
    [
      new RedisError("DENIED Redis is running in protected mode because no password is set. Do this. Do that."),
      "DENIED Redis is running in protected mode because no password is set.",
    ],
    [
      new RedisError(`READONLY You can't write against a read only replica. script: ${SHA}, on @user_script:5.`),
      "READONLY You can't write against a read only replica.",
    ],
    [
      new RedisError("MOVED 9674 127.0.0.1:7002"),
      "MOVED 9674 127.0.0.1:7002 " +
      "(that is one node of a cluster: give a client of it, as in fromIoredis(new Cluster(nodes)))",
    ],
    [
      new RedisError("ERR unknown command 'EVALSHA', with args beginning with: 'hunter2'"),
      "ERR unknown command 'EVALSHA' " +
      "(is that a Sentinel? It knows where Redis is, as in fromIoredis(new Redis({ sentinels, name })))",
    ],
    [new UnavailableError("connect", "timeout"), "no answer within the deadline"],
    [
      new UnavailableError("a", "timeout", {
        cause: new UnavailableError("b", "connection", { cause: new Error("why") }),
      }),
      "why",
    ],
    [
      new ConfigError("x", "y", "z", { cause: new RedisError("NOAUTH Authentication required.") }),
      "NOAUTH Authentication required.",
    ],
    [new Deno.errors.UnexpectedEof(""), "UnexpectedEof (it closed the connection)"],
    ["a text\nof two lines", "a text of two lines"],
  ];
  for (const [error, text] of cases) assertEquals(connectionText(error), text);
});

Deno.test("RedisError says which code a script met, and leaves out what came with a command", () => {
  const texts: [string, string, string][] = [
    [
      "ERR The user executing the script can't run this command or subcommand",
      "NOPERM",
      "NOPERM The user executing the script can't run this command or subcommand",
    ],
    [
      "ERR ACL failure in script: User app has no permissions",
      "NOPERM",
      "NOPERM ACL failure in script: User app has no permissions",
    ],
    ["ERR unknown command 'AUTH', with args beginning with: 'ada' 'secret' ", "ERR", "ERR unknown command 'AUTH'"],
    [
      "OOM command not allowed when used memory > 'maxmemory'.",
      "OOM",
      "OOM command not allowed when used memory > 'maxmemory'.",
    ],
  ];
  for (const [reply, code, message] of texts) {
    const error = new RedisError(reply);
    assertEquals([error.code, error.message], [code, message]);
  }
  assertEquals(
    new UnavailableError("create session", "refused", { cause: new RedisError(texts[3]![0]) }).message,
    "Cannot create session: Redis is unavailable: its memory is full (OOM)",
  );
});
