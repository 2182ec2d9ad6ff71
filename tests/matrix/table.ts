/** How many tests and steps of a file passed and failed. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

/** What the suites said of one client. */
export interface Row {
  /** As in "ioredis, RESP 3". */
  readonly client: string;
  /** Whether caches kept copies in the process. */
  readonly local: boolean;
  /** By suite, in the order of {@linkcode SUITES}. */
  readonly counts: readonly Counts[];
}

/** A contract suite. */
export interface Suite {
  readonly name: string;
  readonly files: readonly string[];
}

/** The contract suites, and what the table calls them. */
export const SUITES: readonly Suite[] = [
  { name: "client", files: ["tests/redis/contract/named_client_test.ts"] },
  {
    name: "copies, subscriptions",
    files: ["tests/redis/contract/copies_test.ts", "tests/redis/contract/subscription_kinds_test.ts"],
  },
  {
    name: "cache",
    files: ["tests/cache/contract/cache_memory_test.ts", "tests/cache/contract/cache_redis_test.ts"],
  },
  { name: "sessions", files: ["tests/sessions/contract_test.ts"] },
  { name: "limits", files: ["tests/rate_limit/contract_test.ts"] },
  { name: "locks", files: ["tests/locks/contract_test.ts"] },
  { name: "channels", files: ["tests/pubsub/contract_test.ts"] },
  { name: "streams", files: ["tests/streams/contract_test.ts"] },
];

/** The table, in Markdown. */
export function tableOf(rows: readonly Row[]): string {
  const head = ["client", "RESP", "`local`", ...SUITES.map(({ name }) => name)];
  const lines = rows.map(({ client, local, counts }) => {
    const [name, protocol] = client.split(", RESP ");
    const cells = SUITES.map((_, i) => cell(counts[i]!));
    return [name!, protocol ?? (client === "embedded" ? "" : "2"), local ? "yes" : "no", ...cells];
  });
  return [head, head.map(() => "---"), ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

function cell({ passed, failed }: Counts): string {
  if (passed + failed === 0) return "";
  return failed === 0 ? `${passed}` : `${passed}, **${failed} failed**`;
}

/** Reads a report of `deno test --junit-path`, in which steps count as tests do. */
export function countsIn(report: string): Counts {
  const sum = (name: string) =>
    Array.from(report.matchAll(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`, "g")), ([, count]) => Number(count))
      .reduce((all, count) => all + count, 0);
  const failed = sum("failures") + sum("errors");
  return { passed: sum("tests") - sum("disabled") - failed, failed };
}
