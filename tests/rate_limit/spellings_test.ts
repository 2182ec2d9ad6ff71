/**
 * Spellings of a path, each sent byte for byte to the router of each framework: it is not routed, or it is limited.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { MemoryLimitStore } from "../../src/rate_limit/memory_store.ts";
import { RateLimiter } from "../../src/rate_limit/rate_limiter.ts";
import { rawRequest, sendRaw, utf8 } from "../support/raw_http.ts";
import { ROUTED, SERVICES } from "./routers.ts";
import { OLDEST } from "../support/oldest.ts";

/** A request, and how the table calls it. */
interface Spelling {
  readonly method?: string;
  readonly target: string;
  readonly host?: string;
  readonly headers?: readonly string[];
  readonly shown?: string;
}

const targets = [
  ...["/login", "/login/", "/login//", "/LOGIN", "/lo%47in", "/%6cogin", "/%6Cogin", "/%256cogin"],
  ...["//login", "///login", "/./login", "/x/../login", "/x//../login", "/%2e/login", "/x/%2e%2E/login", "/..%2flogin"],
  ...["/x%2f..%2flogin", "/x%5c..%5clogin", "/login/.", "/login/x/..", "/login/..", "/login%2f", "/%2flogin"],
  ...["/login;x", "/login;x=1/y", "/login/;x", "/x/..;/login", "/login%3bx", "/login?x", "/login#x", "/login%3fx"],
  ...[
    "/\\login",
    "/login\\",
    "/x\\..\\login",
    "/%5clogin",
    "/login%00",
    "/login%20",
    "/login%09",
    "/login%",
    "/%zz/../login",
  ],
  ...["/login%c3", "/%ff/../login", "/%C0%AElogin", "//localhost/login", "/\\localhost/login"],
  ...["/caf%C3%A9", "/caf%c3%a9", "/CAF%C3%89", "/cafe%CC%81", "/kiosk", "/%4biosk", "/%E2%84%AAiosk", "/kio%C5%BFk"],
  ...["/api", "/api/", "/API", "/api/x", "/api/x/../..", "/Api/x;y", "/api//x"],
  ...["http://localhost/login", "HTTP://LOCALHOST/LOGIN", "https://localhost/login", "http://other/x/../login"],
  ...[
    "http://u@localhost/login",
    "http://a?/login",
    "http://a#/login",
    "http://a\\/login",
    "ftp://localhost/login",
    "*",
  ],
];

const SPELLINGS: readonly Spelling[] = [
  ...targets.map((target) => ({ target })),
  { target: utf8("/café"), shown: "/café in UTF-8" },
  ...["post", "PoSt"].map((method) => ({ target: "/login", method, shown: `${method} /login` })),
  {
    target: "/login",
    method: "PUT",
    headers: ["X-HTTP-Method-Override: POST"],
    shown: "PUT /login, X-HTTP-Method-Override: POST",
  },
  ...["a?", "a#", "a\\", "a b", "[::1", "u@h", "a%3f", "a:99999", "a/b", "a/login?", "A.Example", "a.example.:8080"]
    .map((
      host,
    ) => ({ target: "/login", host, shown: `Host: ${host}` })),
  ...["a?", "a/login?", "A.Example"].map((host) => ({
    target: host === "a/login?" ? "/x" : "/login",
    headers: [`X-Forwarded-Host: ${host}`],
    shown: `X-Forwarded-Host: ${host}`,
  })),
  { target: "/x", headers: ["X-Forwarded-Proto: http://h/login?"], shown: "X-Forwarded-Proto: http://h/login?" },
];

const shown = ({ shown, target }: Spelling) => shown ?? target;
const raw = ({ method = "POST", target, host, headers }: Spelling) => rawRequest(method, target, host, headers);

const rules = {
  "POST /login": "PAGE",
  "POST /café": "PAGE",
  "POST /kiosk": "PAGE",
  "POST /api/*": "PAGE",
} as const;

function open(): RateLimiter<string> {
  return new RateLimiter<string>(new MemoryLimitStore()).define("PAGE", { limit: 2, window: "1h" });
}

/** Whether a router that reads the path as it was sent routes it to what is exempt below. */
function isExact({ target, method }: Spelling): boolean {
  return method === undefined && /^(?:https?:\/\/localhost)?\/(?:login(?:[?#].*)?|api\/(?:\/?x)?)$/.test(target);
}

/** What each service made of each spelling: `limited`, or that it was not routed, with the status. */
const table = new Map<string, string[]>();

for (const [name, openService] of Object.entries(SERVICES)) {
  Deno.test(`RateLimiter.guard() in front of the router of ${name}: each spelling is not routed, or limited`, async () => {
    const limiter = open();
    await using service = await openService(limiter, rules);
    for (const spelling of SPELLINGS) {
      for (const id of ["127.0.0.1", "unknown"]) await limiter.reset("PAGE", id);
      const answers = [];
      for (let i = 0; i < 3; i++) answers.push(await sendRaw(service.port, raw(spelling)));
      const routed = answers.filter(({ body }) => body === ROUTED).length;
      const statuses = answers.map(({ status }) => status);
      if (routed > 0) {
        assertEquals(statuses, [200, 200, 429], `${shown(spelling)} is routed, and not limited`);
        assertEquals(answers[0]!.headers.get("RateLimit"), '"PAGE";r=1;t=3600', shown(spelling));
      } else assert(statuses[0]! >= 300 || statuses[0] === 0, `${shown(spelling)}: ${statuses}`);
      const cell = routed > 0 ? "limited" : String(statuses[0]);
      table.set(shown(spelling), [...table.get(shown(spelling)) ?? [], cell]);
    }
  });
}

Deno.test("the table of spellings in README is what the routers do", { ignore: OLDEST }, async () => {
  if ([...table.values()].some((cells) => cells.length < Object.keys(SERVICES).length)) return; // a part was run
  const columns = ["spelling", ...Object.keys(SERVICES)];
  const rows = [...table].map(([spelling, cells]) => [`\`${spelling.replaceAll("|", "\\|")}\``, ...cells]);
  const widths = columns.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  const wanted = [line(columns), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)];
  const readme = await Deno.readTextFile(new URL("README.md", import.meta.url));
  assert(readme.includes(wanted.join("\n")), `wanted in tests/rate_limit/README.md:\n${wanted.join("\n")}`);
});

for (const [name, openService] of Object.entries(SERVICES)) {
  Deno.test(`RateLimiter.guard() in front of the router of ${name}: only the exact spelling is exempt`, async () => {
    const limiter = open();
    const exempting = { "POST /login": [], "/api/*": { limits: "API", skip: () => true }, "*": "PAGE" };
    await using service = await openService(limiter, exempting);
    for (const spelling of SPELLINGS.filter((spelling) => !isExact(spelling))) {
      if (OLDEST && /^post|^(?!mailto)\w+:/i.test(shown(spelling))) continue; // its servers make the exact one of it
      for (const id of ["127.0.0.1", "unknown"]) await limiter.reset("PAGE", id);
      const answers = [];
      for (let i = 0; i < 3; i++) answers.push(await sendRaw(service.port, raw(spelling)));
      const [first, , third] = answers;
      assert(
        first!.status === 400 || third!.status === 429,
        `${shown(spelling)}: ${answers.map(({ status }) => status)}`,
      );
    }
    for (let i = 0; i < 5; i++) {
      for (const target of ["/login", "/login?x", "/api/x"]) {
        const { body, headers } = await sendRaw(service.port, rawRequest("POST", target));
        assertEquals([body, headers.get("RateLimit")], [ROUTED, null], target);
      }
    }
  });
}
