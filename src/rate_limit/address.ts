import ipaddr from "ipaddr.js";
import { describe } from "../util/describe.ts";
import { ConfigError } from "../errors.ts";
import { type ConnectionInfo, remoteAddress } from "../web/connection.ts";
import { assertOptions, optionNames } from "../util/option_names.ts";
import { forwardedHops, listedHops } from "./forwarded.ts";

export type { AddressTeller, ConnectionInfo, SocketLike } from "../web/connection.ts";

/** Which proxies are believed, and what they say it with. */
export interface TrustProxyOptions {
  /**
   * Networks as in `"10.0.0.0/8"`, addresses, `"private"`, `"loopback"`, or `"any"`: then whoever is asked is believed.
   */
  proxies?: readonly string[] | undefined;
  /** How many proxies there are, instead of `proxies`. */
  hops?: number | undefined;
  /**
   * The header that the proxies write: `"x-forwarded-for"`, `"forwarded"`, or one that holds the address and nothing
   * else, such as `"cf-connecting-ip"`, `"x-real-ip"` or `"true-client-ip"`. The proxies must replace what a client
   * sends in it.
   *
   * @default {`X-Forwarded-For` or `Forwarded`; both must say the same when both are there}
   */
  header?: string | undefined;
}

const TRUST = optionNames<TrustProxyOptions>({ proxies: true, hops: true, header: true });

/** Networks of proxies, how many proxies there are, `"any"`, or options. */
export type TrustProxy = readonly string[] | number | "any" | TrustProxyOptions;

/**
 * What stands for everybody whose address is not known: one limit for all of them, since none would be a way around it.
 */
export const UNKNOWN_ADDRESS = "unknown";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
/** From the client to the nearest; `undefined` stands for what is no address. */
type Hops = readonly (Address | undefined)[];

/** Where a translator puts the addresses of IPv4 (RFC 6052, section 2.1). */
const NAT64 = ipaddr.IPv6.parse("64:ff9b::");
const MAPPED = ipaddr.IPv6.parse("::ffff:0:0");

const NETWORKS: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1/128"],
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"],
};
/**
 * How many bits of an IPv6 address are one client unless it is said otherwise: less has no customer of any provider.
 */
const IPV6_PREFIX = 64;
/** Headers of several hops. */
const LISTS = new Set(["x-forwarded-for", "forwarded"]);

/** The end of the sentence "wanted …" for proxies to trust. */
export const TRUST_WANTED: string =
  'networks such as ["10.0.0.0/8"] ("private", "loopback", "any"), a number of proxies from 1 to 32, or ' +
  "{ proxies } or { hops }, with or without { header }";

/** Tells the address of the client of a request, as a limit counts it. */
export type AddressReader = (request: Request, info?: ConnectionInfo) => string;

/** What the option `ipv6Prefix` may be: bits of a network. */
export const PREFIX_RANGE = { min: 32, max: 128 } as const;

/**
 * Makes what tells the addresses of clients.
 *
 * @param trust Which proxies are believed.
 * @param prefix How many bits of an IPv6 address are one client.
 * @throws {ConfigError} If that is none of what it can be.
 */
export function addressReader(trust: TrustProxy | undefined, prefix: number = IPV6_PREFIX): AddressReader {
  if (!Number.isInteger(prefix) || prefix < PREFIX_RANGE.min || prefix > PREFIX_RANGE.max) {
    const wanted = `a whole number from ${PREFIX_RANGE.min} to ${PREFIX_RANGE.max}`;
    throw new ConfigError("rateLimit.ipv6Prefix", wanted, describe(prefix));
  }
  if (trust === undefined) return (request, info) => keyOf(peerOf(request, info), prefix);
  const { believes, walk, header } = trusted(trust);
  return (request, info) => {
    const peer = peerOf(request, info);
    // What somebody else writes into a header is not even looked at.
    if (!believes(peer)) return keyOf(peer, prefix);
    const by = (hops: (string | undefined)[]) => keyOf(walk([...hops.map(parseAddress), peer]), prefix);
    if (header !== undefined && !LISTS.has(header)) {
      const said = request.headers.get(header);
      if (said === null) return keyOf(peer, prefix);
      const [address, ...more] = listedHops(said);
      return keyOf(more.length === 0 ? parseAddress(address) : undefined, prefix);
    }
    const listed = header !== "forwarded" ? request.headers.get("x-forwarded-for") : null;
    const forwarded = header !== "x-forwarded-for" ? request.headers.get("forwarded") : null;
    if (listed !== null && forwarded !== null) {
      // A proxy writes one of them and passes the other on as the client made it up.
      const [a, b] = [by(listedHops(listed)), by(forwardedHops(forwarded))];
      return a === b ? a : UNKNOWN_ADDRESS;
    }
    if (listed !== null) return by(listedHops(listed));
    return by(forwarded !== null ? forwardedHops(forwarded) : []);
  };
}

/**
 * The form of an address that a limit counts: IPv4 as it is, IPv6 as the network of which its holder has every address,
 * and IPv4 in IPv6, as of NAT64 (RFC 6052), as IPv4.
 *
 * @param text An IP address.
 * @param prefix How many bits of an IPv6 address are its holder's.
 * @returns That form, or `"unknown"` when it is no address.
 *
 * @example Addresses of one holder
 * ```ts
 * import { addressKey } from "@larder/larder/rate-limit";
 * import assert from "node:assert/strict";
 *
 * assert.equal(addressKey("192.0.2.7"), "192.0.2.7");
 * assert.equal(addressKey("::ffff:192.0.2.7"), "192.0.2.7");
 * assert.equal(addressKey("2001:db8:0:1:2:3:4:5"), "2001:db8:0:1::/64");
 * assert.equal(addressKey("2001:db8:0:1:2:3:4:5", 48), "2001:db8::/48");
 * assert.equal(addressKey("localhost"), "unknown");
 * ```
 */
export function addressKey(text: string, prefix: number = IPV6_PREFIX): string {
  return keyOf(parseAddress(text), prefix);
}

function keyOf(address: Address | undefined, prefix: number): string {
  if (!address) return UNKNOWN_ADDRESS;
  if (address instanceof ipaddr.IPv4) return address.toString();
  const parts = address.parts.map((part, i) => part & (0xffff << Math.min(16, Math.max(0, 16 * (i + 1) - prefix))));
  return `${new ipaddr.IPv6(parts).toString()}/${prefix}`;
}

/** The address, or undefined for what is none in its strict notation. */
function parseAddress(text: string | undefined): Address | undefined {
  if (text === undefined || text.length > 64) return undefined;
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  const plain = withoutDots(text);
  if (plain === undefined || !plain.includes(":") || !ipaddr.IPv6.isValid(plain)) return undefined;
  const address = ipaddr.IPv6.parse(plain);
  if (address.isIPv4MappedAddress()) return address.toIPv4Address();
  return address.match(NAT64, 96) ? new ipaddr.IPv4(address.toByteArray().slice(12)) : address;
}

/** An IPv6 address whose end is written as IPv4, in its other notation: what it is must not depend on that. */
function withoutDots(text: string): string | undefined {
  if (!text.includes(".")) return text;
  const at = text.lastIndexOf(":") + 1;
  const end = text.slice(at);
  if (!ipaddr.IPv4.isValidFourPartDecimal(end)) return undefined;
  const [a, b, c, d] = ipaddr.IPv4.parse(end).octets as [number, number, number, number];
  return `${text.slice(0, at)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function peerOf(request: Request, info: ConnectionInfo | undefined): Address | undefined {
  return parseAddress(remoteAddress(request, info));
}

/** Whom the headers are believed of, and how the client is found among the hops. */
interface Trusted {
  believes(peer: Address | undefined): boolean;
  walk(hops: Hops): Address | undefined;
  readonly header: string | undefined;
}

/** Tells whether the other end of a request's connection is a proxy that is believed, and what it says it with. */
export function proxyReader(
  trust: TrustProxy,
): { believes(request: Request, info?: ConnectionInfo): boolean; readonly header: string | undefined } {
  const { believes, header } = trusted(trust);
  return { believes: (request, info) => believes(peerOf(request, info)), header };
}

function trusted(trust: TrustProxy): Trusted {
  const options: TrustProxyOptions = typeof trust === "number"
    ? { hops: trust }
    : trust === "any"
    ? { proxies: ["any"] }
    : Array.isArray(trust)
    ? { proxies: trust }
    : trust as TrustProxyOptions;
  if (typeof options !== "object" || options === null) throw invalid(trust);
  assertOptions(options, TRUST, 'use "trustProxy"');
  const { proxies, hops } = options;
  const header = headerOf(options.header);
  if ((proxies === undefined) === (hops === undefined)) throw invalid(trust);
  if (hops !== undefined) {
    if (!Number.isInteger(hops) || hops < 1 || hops > 32) throw invalid(hops);
    return {
      header,
      believes: () => true,
      walk(all) {
        // Who did not come through all proxies is known by its connection alone.
        if (all.length <= hops) return all.at(-1);
        return all.slice(-hops, -1).includes(undefined) ? undefined : all.at(-1 - hops);
      },
    };
  }
  if (!Array.isArray(proxies)) throw invalid(proxies);
  const isTrusted = isIn(proxies.filter((text) => text !== "any"));
  if (proxies.includes("any")) return { header, believes: () => true, walk: (all) => all[0] };
  return {
    header,
    believes: (peer) => peer !== undefined && isTrusted(peer),
    walk(all) {
      for (let i = all.length - 1; i >= 0; i--) {
        const address = all[i];
        if (!address || i === 0 || !isTrusted(address)) return address;
      }
      return undefined;
    },
  };
}

function headerOf(header: unknown): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== "string" || !/^[\w!#$%&'*+.^`|~-]{1,64}$/.test(header)) throw invalid(header);
  return header.toLowerCase();
}

function isIn(proxies: readonly string[]): (address: Address) => boolean {
  const networks = proxies.flatMap((text) => Object.hasOwn(NETWORKS, text) ? NETWORKS[text]! : [text]).map(
    parseNetwork,
  );
  return (address) =>
    networks.some(([network, bits]) => {
      // Addresses of the other kind never match.
      if (network instanceof ipaddr.IPv4) return address instanceof ipaddr.IPv4 && address.match(network, bits);
      return address instanceof ipaddr.IPv6 && address.match(network as ipaddr.IPv6, bits);
    });
}

/**
 * A network, or an address. What cannot be meant is refused: everybody (who means that says `"any"`), addresses that
 * are shortened, as in `10/8`, and networks of IPv4 in IPv6, since such addresses are read as IPv4.
 */
function parseNetwork(text: unknown): [Address, number] {
  if (typeof text !== "string" || text.includes("%")) throw invalid(text);
  const [start, size, ...more] = text.split("/");
  const address = parseAddress(start);
  if (size === undefined && address) return [address, address instanceof ipaddr.IPv4 ? 32 : 128];
  const bits = /^[1-9]\d{0,2}$/.test(size ?? "") ? Number(size) : 0;
  const network = ipaddr.IPv6.isValid(start!) && !ipaddr.IPv4.isValid(start!) ? ipaddr.IPv6.parse(start!) : address;
  const most = network instanceof ipaddr.IPv4 ? 32 : 128;
  if (!address || !network || more.length > 0 || bits < 1 || bits > most) throw invalid(text);
  if (network instanceof ipaddr.IPv6 && (network.match(MAPPED, 96) || network.match(NAT64, 96))) throw invalid(text);
  return [network, bits];
}

function invalid(value: unknown): ConfigError {
  return new ConfigError("rateLimit.trustProxy", TRUST_WANTED, describe(value));
}
