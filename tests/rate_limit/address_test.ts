import { assertEquals, assertLess, assertThrows } from "@std/assert";
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
  await t.step("IPv6 by other prefixes", () => {
    const keys = [32, 40, 48, 56, 60, 63, 65, 127, 128].map((prefix) =>
      addressKey("2001:db8:ffff:ffff:ffff::ffff", prefix)
    );
    assertEquals(keys, [
      "2001:db8::/32",
      "2001:db8:ff00::/40",
      "2001:db8:ffff::/48",
      "2001:db8:ffff:ff00::/56",
      "2001:db8:ffff:fff0::/60",
      "2001:db8:ffff:fffe::/63",
      "2001:db8:ffff:ffff:8000::/65",
      "2001:db8:ffff:ffff:ffff::fffe/127",
      "2001:db8:ffff:ffff:ffff::ffff/128",
    ]);
    assertEquals(addressKey("::ffff:192.0.2.7", 128), "192.0.2.7");
    const info = { remoteAddr: { hostname: "2001:db8:1:2:3::4" } };
    assertEquals(addressReader(undefined, 48)(new Request("http://localhost/"), info), "2001:db8:1::/48");
  });
  await t.step("NAT64 by the address of IPv4", () => {
    for (const text of ["64:ff9b::192.0.2.7", "64:ff9b::c000:207", "64:FF9B:0:0:0:0:C000:0207"]) {
      assertEquals(addressKey(text), "192.0.2.7", text);
    }
    assertEquals(addressKey("64:ff9b:1::c000:207"), "64:ff9b:1::/64");
    assertEquals(addressKey("64:ff9b:0:0:1::c000:207"), "64:ff9b::/64");
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
    ["Forwarded, a hidden port", "10.0.0.1", forwarded('for="203.0.113.9:_a.1"'), "203.0.113.9"],
    ["both agree", "10.0.0.1", { ...xff("203.0.113.9"), ...forwarded("for=203.0.113.9") }, "203.0.113.9"],
    // The proxy wrote one of them; the client made up the other, whichever that is.
    ["they differ", "10.0.0.1", { ...xff("203.0.113.9"), ...forwarded("for=1.1.1.1") }, "unknown"],
  ];
  for (const [name, peer, headers, wanted] of cases) {
    await t.step(name, () => assertEquals(who(trust, peer, headers), wanted));
  }
  await t.step("Forwarded, behind a quote that a client left open", () => {
    const [v4, v6] = ["for=203.0.113.9", 'for="[2001:db8:1::5]";by="[fd00::1]"'];
    for (const open of ['for=1.1.1.1;x="', 'for=1.1.1.1;x="\\', 'for="1.1.1.1', 'x="a\\\\";for=1.1.1.1;y="']) {
      assertEquals(who(trust, "10.0.0.1", forwarded(`${open}, ${v4}`)), "203.0.113.9", open);
      assertEquals(who(trust, "10.0.0.1", forwarded(`${open}, ${v6}`)), "2001:db8:1::/64", open);
    }
  });
  await t.step("a header that is said to be the one", () => {
    const headers = { ...xff("203.0.113.9"), ...forwarded("for=1.1.1.1") };
    assertEquals(who({ proxies: trust, header: "x-forwarded-for" }, "10.0.0.1", headers), "203.0.113.9");
    assertEquals(who({ proxies: trust, header: "forwarded" }, "10.0.0.1", headers), "1.1.1.1");
  });
  await t.step("an address of IPv4 in IPv6 is one of IPv4", () => {
    assertEquals(who(["::ffff:10.0.0.7"], "10.0.0.7", xff("203.0.113.9")), "203.0.113.9");
    assertEquals(who(["64:ff9b::10.0.0.7"], "10.0.0.7", xff("203.0.113.9")), "203.0.113.9");
  });
  await t.step("everybody, for who means it", () => {
    for (const trust of ["any", ["any"], { proxies: ["any"] }, ["10.0.0.0/8", "any"]] as TrustProxy[]) {
      assertEquals(who(trust, "198.51.100.1", xff("203.0.113.9, 192.0.2.1")), "203.0.113.9");
      assertEquals(who(trust, undefined, xff("203.0.113.9")), "203.0.113.9");
      assertEquals(who(trust, "198.51.100.1"), "198.51.100.1");
    }
  });
  await t.step("a header that holds the address and nothing else", () => {
    for (const name of ["CF-Connecting-IP", "x-real-ip", "True-Client-IP"]) {
      const trust: TrustProxy = { proxies: ["10.0.0.0/8"], header: name };
      const said = { [name]: "203.0.113.9", ...xff("1.1.1.1"), ...forwarded("for=2.2.2.2") };
      assertEquals(who(trust, "10.0.0.1", said), "203.0.113.9");
      assertEquals(who(trust, "198.51.100.1", said), "198.51.100.1");
      assertEquals(who(trust, "10.0.0.1", xff("1.1.1.1")), "10.0.0.1");
      assertEquals(who(trust, "10.0.0.1", { [name]: "2001:db8:1::5" }), "2001:db8:1::/64");
      for (const nonsense of ["", "1.1.1.1, 203.0.113.9", "nonsense", "1".repeat(100_000), ",", "203.0.113.9,"]) {
        assertEquals(who(trust, "10.0.0.1", { [name]: nonsense }), "unknown", nonsense.slice(0, 20));
      }
      assertEquals(who({ hops: 1, header: name }, undefined, said), "203.0.113.9");
    }
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
    ["10/8"],
    ["10.0/16"],
    ["010.0.0.0/8"],
    ["10.0.0.0/08"],
    ["10.0.0.0/8/8"],
    ["10.0.0.0/"],
    ["/8"],
    ["10.0.0.0/8 "],
    ["0.0.0.0/0"],
    ["::/0"],
    ["10.0.0.0/0"],
    ["::ffff:10.0.0.0/104"],
    ["::ffff:0:0/96"],
    ["::ffff:10.0.0.0/64"],
    ["any", "10/8"],
    ["64:ff9b::a00:0/104"],
    ["fe80::1%eth0"],
    ["fe80::%eth0/10"],
    ["2001:db8::/129"],
    ["constructor"],
    ["__proto__"],
    ["Any"],
    "ANY",
    "private",
    [["10.0.0.0/8"]],
    {},
    { hops: 1, proxies: [] },
    null,
  ];
  for (const trust of wrong) assertThrows(() => addressReader(trust as TrustProxy), ConfigError, "trustProxy");
  for (const header of ["", "a b", "x:", "x".repeat(65), 1, null]) {
    assertThrows(() => addressReader({ hops: 1, header: header as string }), ConfigError);
  }
  for (const prefix of [0, 31, 129, 64.5, NaN, "64", null]) {
    assertThrows(() => addressReader(undefined, prefix as number), ConfigError, "ipv6Prefix");
  }
});

Deno.test("RateLimiter.address() takes a short time for any header, and none for one of somebody who is not believed", () => {
  const texts = [
    ...[" ", "\t", '"', "[", "]", ",", ";", "\\", "=", "for=", 'for="', "for=[", 'for="\\', "for= "],
    ...["1.1.1.1,", "for=1.1.1.1,"],
  ];
  const repeated = (text: string, length: number) => text.repeat(Math.ceil(length / text.length));
  const values = texts.flatMap((text) => [
    `a${repeated(text, 1_000_000)}a`,
    ...[text, `for${repeated(text, 50_000)}x`].flatMap((part) => {
      const long = repeated(part, 50_000);
      return [`a${long}a`, `for="${long}`];
    }),
  ]);
  const read = addressReader(["10.0.0.0/8"]);
  const ask = (peer: string, name: string, value: string) => {
    const headers = new Headers();
    headers.set(name, value);
    const request = new Request("http://localhost/", { headers });
    const start = performance.now();
    const address = read(request, { remoteAddr: { hostname: peer } });
    return { address, milliseconds: performance.now() - start };
  };
  let slowest = 0;
  for (const value of values) {
    for (const name of ["x-forwarded-for", "forwarded"]) {
      slowest = Math.max(slowest, ask("10.0.0.1", name, value).milliseconds);
      const { address, milliseconds } = ask("198.51.100.1", name, value);
      assertEquals(address, "198.51.100.1");
      slowest = Math.max(slowest, milliseconds);
    }
  }
  // With work that grows with the square of the length it is hours.
  assertLess(slowest, 5000);
  const hops = "198.51.100.7, ".repeat(10_000);
  assertEquals(ask("10.0.0.1", "x-forwarded-for", `${hops}203.0.113.9`).address, "203.0.113.9");
  assertEquals(
    ask("10.0.0.1", "forwarded", `for=${hops.replaceAll(", ", ", for=")}203.0.113.9`).address,
    "203.0.113.9",
  );
});
