import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { addressKey, addressReader, type TrustProxy } from "../../src/rate_limit/address.ts";
import { ConfigError } from "../../src/errors.ts";

/** Who it is that comes from `peer` with these headers. */
function who(
  trust: TrustProxy | undefined,
  peer: string | undefined,
  headers: Record<string, string> = {},
): string {
  const remoteAddr = peer === undefined ? undefined : { transport: "tcp", hostname: peer, port: 1234 };
  return addressReader(trust)(new Request("http://localhost/", { headers }), { remoteAddr });
}

const xff = (value: string) => ({ "X-Forwarded-For": value });
const forwarded = (value: string) => ({ "Forwarded": value });

Deno.test("addressKey() is one key for all addresses of a holder", async (t) => {
  await t.step("IPv4 in IPv6, in any notation, is IPv4", () => {
    const spellings = ["1.2.3.4", "::ffff:1.2.3.4", "::ffff:102:304", "0:0:0:0:0:ffff:0102:0304", "::FFFF:1.2.3.4"];
    for (const text of spellings) assertEquals(addressKey(text), "1.2.3.4", text);
  });
  await t.step("what only looks like it is IPv6", () => {
    assertEquals(addressKey("2001:db8::1.2.3.4"), "2001:db8::/64");
    assertEquals(addressKey("::1.2.3.4"), "::/64");
  });
  await t.step("IPv6 by /64", () => {
    assertEquals(addressKey("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
    assertEquals(addressKey("2001:DB8:1:2::"), "2001:db8:1:2::/64");
    assertEquals(addressKey("::1"), "::/64");
    const parts = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        if (a.slice(0, 5).every((part) => part === 0)) return; // IPv4 in IPv6
        const text = (all: number[]) => all.map((part) => part.toString(16)).join(":");
        const same = [...a.slice(0, 4), ...b.slice(4)];
        assertEquals(addressKey(text(a)), addressKey(text(same)));
        if (a.slice(0, 4).join() !== b.slice(0, 4).join() && b[0] !== 0) {
          assertEquals(addressKey(text(a)) === addressKey(text(b)), false);
        }
      }),
      { seed: 1, numRuns: 300 },
    );
  });
  await t.step("anything else is unknown", () => {
    for (
      const text of ["", "x", "1.2.3", "1.2.3.4.5", "01.2.3.4", "0x1.2.3.4", "1.2.3.256", "16909060", "::g", " 1.2.3.4"]
    ) assertEquals(addressKey(text), "unknown", text);
    fc.assert(fc.property(fc.string(), (text) => typeof addressKey(text) === "string"), { seed: 2, numRuns: 500 });
  });
});

Deno.test("RateLimiter.address() is that of the connection by default", () => {
  assertEquals(who(undefined, "203.0.113.9"), "203.0.113.9");
  assertEquals(who(undefined, "203.0.113.9", { ...xff("1.1.1.1"), ...forwarded("for=2.2.2.2") }), "203.0.113.9");
  assertEquals(who(undefined, "fe80::1%eth0"), "fe80::/64");
  assertEquals(who(undefined, undefined, xff("1.1.1.1")), "unknown");
  assertEquals(addressReader(undefined)(new Request("http://localhost/")), "unknown");
  const unix = { remoteAddr: { transport: "unix", path: "/run/app" } };
  assertEquals(addressReader(undefined)(new Request("http://localhost/"), unix), "unknown");
});

Deno.test("RateLimiter.address() believes proxies by their networks, from the right", async (t) => {
  const trust = ["10.0.0.0/8", "2001:db8:ffff::/48"];
  const cases: [string, string, Record<string, string>, string][] = [
    ["one proxy", "10.0.0.1", xff("203.0.113.9"), "203.0.113.9"],
    ["two proxies", "10.0.0.1", xff("203.0.113.9, 10.0.0.2"), "203.0.113.9"],
    ["a forged hop on the left", "10.0.0.1", xff("1.1.1.1, 203.0.113.9"), "203.0.113.9"],
    ["a forged hop that looks trusted", "10.0.0.1", xff("10.9.9.9, 203.0.113.9, 10.0.0.2"), "203.0.113.9"],
    ["a peer that is no proxy", "198.51.100.1", xff("203.0.113.9"), "198.51.100.1"],
    ["no header", "10.0.0.1", {}, "10.0.0.1"],
    ["all are trusted", "10.0.0.1", xff("10.0.0.3, 10.0.0.2"), "10.0.0.3"],
    ["a malformed hop", "10.0.0.1", xff("203.0.113.9, nonsense"), "unknown"],
    ["a malformed hop behind the client", "10.0.0.1", xff("nonsense, 203.0.113.9"), "203.0.113.9"],
    ["a zone", "10.0.0.1", xff("fe80::1%eth0"), "fe80::/64"],
    ["a zone of nonsense", "10.0.0.1", xff("203.0.113.9%eth0"), "unknown"],
    ["a port of nonsense", "10.0.0.1", xff("203.0.113.9:x"), "unknown"],
    ["a port that is too long", "10.0.0.1", xff("203.0.113.9:123456"), "unknown"],
    ["a name", "10.0.0.1", xff("localhost"), "unknown"],
    ["a hop in quotes", "10.0.0.1", xff('"203.0.113.9"'), "unknown"],
    ["other notations of a number", "10.0.0.1", xff("0xcb.0.0x71.9"), "unknown"],
    ["an endless hop", "10.0.0.1", xff("1".repeat(50_000)), "unknown"],
    ["an empty hop", "10.0.0.1", xff("203.0.113.9,"), "unknown"],
    ["unknown", "10.0.0.1", xff("unknown"), "unknown"],
    ["ports", "10.0.0.1", xff("203.0.113.9:8080, 10.0.0.2:80"), "203.0.113.9"],
    ["an IPv6 proxy and client", "2001:db8:ffff::1", xff("2001:db8:1::5"), "2001:db8:1::/64"],
    ["brackets", "10.0.0.1", xff("[2001:db8:1::5]:443"), "2001:db8:1::/64"],
    ["a mapped peer", "::ffff:10.0.0.1", xff("::ffff:203.0.113.9"), "203.0.113.9"],
    ["Forwarded", "10.0.0.1", forwarded('for=203.0.113.9;proto=https, For="10.0.0.2:80"'), "203.0.113.9"],
    ["Forwarded with IPv6", "10.0.0.1", forwarded('for="[2001:db8:1::5]:4711"'), "2001:db8:1::/64"],
    ["Forwarded, forged", "10.0.0.1", forwarded("for=1.1.1.1, for=203.0.113.9"), "203.0.113.9"],
    ["Forwarded, a comma in quotes", "10.0.0.1", forwarded('by="a,for=1.1.1.1";for=203.0.113.9'), "203.0.113.9"],
    ["Forwarded, hidden", "10.0.0.1", forwarded("for=_hidden"), "unknown"],
    ["Forwarded, unknown", "10.0.0.1", forwarded("for=unknown"), "unknown"],
    ["Forwarded, without for", "10.0.0.1", forwarded("proto=https"), "unknown"],
    ["Forwarded, for twice", "10.0.0.1", forwarded("for=1.1.1.1;for=203.0.113.9"), "unknown"],
    ["Forwarded, a quote left open", "10.0.0.1", forwarded('for="203.0.113.9'), "unknown"],
    ["both agree", "10.0.0.1", { ...xff("203.0.113.9"), ...forwarded("for=203.0.113.9") }, "203.0.113.9"],
    // The proxy wrote one of them; the client made up the other, whichever that is.
    ["they differ", "10.0.0.1", { ...xff("203.0.113.9"), ...forwarded("for=1.1.1.1") }, "unknown"],
  ];
  for (const [name, peer, headers, wanted] of cases) {
    await t.step(name, () => assertEquals(who(trust, peer, headers), wanted));
  }
  await t.step("a header that is said to be the one", () => {
    const headers = { ...xff("203.0.113.9"), ...forwarded("for=1.1.1.1") };
    assertEquals(who({ proxies: trust, header: "x-forwarded-for" }, "10.0.0.1", headers), "203.0.113.9");
    assertEquals(who({ proxies: trust, header: "forwarded" }, "10.0.0.1", headers), "1.1.1.1");
  });
  await t.step("a network of IPv4 in IPv6 is one of IPv4", () => {
    assertEquals(who(["::ffff:10.0.0.0/104"], "10.1.2.3", xff("203.0.113.9")), "203.0.113.9");
    assertEquals(who(["::ffff:10.0.0.0/104"], "11.1.2.3", xff("203.0.113.9")), "11.1.2.3");
    assertEquals(who(["::ffff:10.0.0.0/64"], "11.1.2.3", xff("203.0.113.9")), "11.1.2.3");
    assertEquals(who(["::ffff:10.0.0.7"], "10.0.0.7", xff("203.0.113.9")), "203.0.113.9");
  });
  await t.step("networks by name", () => {
    for (const peer of ["10.1.1.1", "172.16.0.1", "192.168.1.1", "fd00::1"]) {
      assertEquals(who(["private"], peer, xff("203.0.113.9")), "203.0.113.9", peer);
    }
    assertEquals(who(["loopback"], "127.0.0.1", xff("203.0.113.9")), "203.0.113.9");
    assertEquals(who(["loopback"], "10.0.0.1", xff("203.0.113.9")), "10.0.0.1");
  });
});

Deno.test("RateLimiter.address() believes as many proxies as there are", () => {
  assertEquals(who(1, "10.0.0.1", xff("203.0.113.9")), "203.0.113.9");
  assertEquals(who(1, "10.0.0.1", xff("1.1.1.1, 203.0.113.9")), "203.0.113.9");
  assertEquals(who(2, "10.0.0.1", xff("1.1.1.1, 203.0.113.9, 10.0.0.2")), "203.0.113.9");
  // Where one hop is nonsense, the count of the others may be wrong, too.
  assertEquals(who(2, "10.0.0.1", xff("203.0.113.9, nonsense")), "unknown");
  assertEquals(who(2, "10.0.0.1", forwarded("for=203.0.113.9, proto=https")), "unknown");
  assertEquals(who(2, "10.0.0.1", xff("nonsense, 203.0.113.9, 10.0.0.2")), "203.0.113.9");
  assertEquals(who(2, "10.0.0.1", xff("nonsense, 10.0.0.2")), "unknown");
  // Who came by another way cannot make anything up.
  assertEquals(who(2, "198.51.100.1", xff("1.1.1.1")), "198.51.100.1");
  assertEquals(who(1, "198.51.100.1"), "198.51.100.1");
  // Behind a socket of the file system there is a proxy, too.
  assertEquals(who(1, undefined, xff("203.0.113.9")), "203.0.113.9");
  assertEquals(who(1, "10.0.0.1", xff(`${"9.9.9.9, ".repeat(5000)}203.0.113.9`)), "203.0.113.9");
});

Deno.test("addressReader() refuses what it cannot trust", () => {
  const wrong = [
    0,
    -1,
    1.5,
    33,
    NaN,
    true,
    "10.0.0.0/8",
    ["10.0.0.0/33"],
    ["x"],
    [1],
    {},
    { hops: 1, proxies: [] },
    null,
  ];
  for (const trust of wrong) assertThrows(() => addressReader(trust as TrustProxy), ConfigError, "trustProxy");
  assertThrows(() => addressReader({ hops: 1, header: "x-real-ip" as "forwarded" }), ConfigError);
});
