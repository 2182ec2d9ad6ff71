import ipaddr from "ipaddr.js";
import { describe } from "../describe.ts";
import { ConfigError } from "../errors.ts";
import { type ConnectionInfo, remoteAddress } from "../http/connection.ts";
import { assertOptions } from "../option_names.ts";
import { forwardedHops, listedHops } from "./forwarded.ts";
import { TRUST } from "./option_names.ts";

export type { AddressTeller, ConnectionInfo, SocketLike } from "../http/connection.ts";

/** Which proxies are believed, and what they say it with. */
export interface TrustProxyOptions {
  /** Networks as in `"10.0.0.0/8"`, addresses, `"private"` or `"loopback"`. */
  proxies?: readonly string[] | undefined;
  /** How many proxies there are, instead of `proxies`. */
  hops?: number | undefined;
  /**
   * The header that the proxies write. Without it, both must say the same when both are there.
   */
  header?: "x-forwarded-for" | "forwarded" | undefined;
}

/** Networks of proxies, or how many proxies there are, or options. */
export type TrustProxy = readonly string[] | number | TrustProxyOptions;

/** What stands for everybody whose address is not known: one limit for all of them, since none would be a way around it. */
export const UNKNOWN_ADDRESS = "unknown";

type Address = ipaddr.IPv4 | ipaddr.IPv6;
/** From the client to the nearest; `undefined` stands for what is no address. */
type Hops = readonly (Address | undefined)[];

const NETWORKS: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1/128"],
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"],
};
/** The end of the sentence "wanted …" for proxies to trust. */
export const TRUST_WANTED: string =
  'networks such as ["10.0.0.0/8"] ("private", "loopback"), a number of proxies from 1 to 32, or ' +
  "{ proxies } or { hops }, with or without { header }";

/** Tells the address of the client of a request, as a limit counts it. */
export type AddressReader = (request: Request, info?: ConnectionInfo) => string;

/**
 * Makes what tells the addresses of clients.
 *
 * @param trust Which proxies are believed.
 * @throws {ConfigError} If that is none of what it can be.
 */
export function addressReader(trust: TrustProxy | undefined): AddressReader {
  if (trust === undefined) return (request, info) => keyOf(peerOf(request, info));
  const { walk, header } = trusted(trust);
  return (request, info) => {
    const peer = peerOf(request, info);
    const listed = header !== "forwarded" ? request.headers.get("x-forwarded-for") : null;
    const forwarded = header !== "x-forwarded-for" ? request.headers.get("forwarded") : null;
    const by = (hops: (string | undefined)[]) => keyOf(walk([...hops.map(parseAddress), peer]));
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
 * The form of an address that a limit counts: IPv4 as it is, IPv6 as the /64 network of which its holder has every address, and
 * IPv4 in IPv6 as IPv4.
 *
 * @param text An IP address.
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
 * assert.equal(addressKey("localhost"), "unknown");
 * ```
 */
export function addressKey(text: string): string {
  return keyOf(parseAddress(text));
}

function keyOf(address: Address | undefined): string {
  if (!address) return UNKNOWN_ADDRESS;
  if (address instanceof ipaddr.IPv4) return address.toString();
  return `${new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`;
}

/** The address, or undefined for what is none in its strict notation. */
function parseAddress(text: string | undefined): Address | undefined {
  if (text === undefined || text.length > 64) return undefined;
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  const plain = withoutDots(text);
  if (plain === undefined || !plain.includes(":") || !ipaddr.IPv6.isValid(plain)) return undefined;
  const address = ipaddr.IPv6.parse(plain);
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
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

/** How the client is found among the hops. */
function trusted(trust: TrustProxy): { walk(hops: Hops): Address | undefined; header: TrustProxyOptions["header"] } {
  const options: TrustProxyOptions = typeof trust === "number"
    ? { hops: trust }
    : Array.isArray(trust)
    ? { proxies: trust }
    : trust as TrustProxyOptions;
  if (typeof options !== "object" || options === null) throw invalid(trust);
  assertOptions(options, TRUST, 'use "trustProxy"');
  const { proxies, hops, header } = options;
  if (header !== undefined && header !== "x-forwarded-for" && header !== "forwarded") throw invalid(header);
  if ((proxies === undefined) === (hops === undefined)) throw invalid(trust);
  if (hops !== undefined) {
    if (!Number.isInteger(hops) || hops < 1 || hops > 32) throw invalid(hops);
    return {
      header,
      walk(all) {
        // Who did not come through all proxies is known by its connection alone.
        if (all.length <= hops) return all.at(-1);
        return all.slice(-hops, -1).includes(undefined) ? undefined : all.at(-1 - hops);
      },
    };
  }
  if (!Array.isArray(proxies)) throw invalid(proxies);
  const networks = proxies.flatMap((text) => NETWORKS[text] ?? [text]).map(parseNetwork);
  const isTrusted = (address: Address) =>
    networks.some(([network, bits]) => {
      // Addresses of the other kind never match.
      if (network instanceof ipaddr.IPv4) return address instanceof ipaddr.IPv4 && address.match(network, bits);
      return address instanceof ipaddr.IPv6 && address.match(network as ipaddr.IPv6, bits);
    });
  return {
    header,
    walk(all) {
      for (let i = all.length - 1; i >= 0; i--) {
        const address = all[i];
        if (!address || i === 0 || !isTrusted(address)) return address;
      }
      return undefined;
    },
  };
}

function parseNetwork(text: unknown): [Address, number] {
  if (typeof text !== "string") throw invalid(text);
  const address = parseAddress(text);
  if (address) return [address, address instanceof ipaddr.IPv4 ? 32 : 128];
  try {
    const [network, bits] = ipaddr.parseCIDR(text);
    const mapped = network instanceof ipaddr.IPv6 && bits >= 96 && network.isIPv4MappedAddress();
    return mapped ? [network.toIPv4Address(), bits - 96] : [network, bits];
  } catch {
    throw invalid(text);
  }
}

function invalid(value: unknown): ConfigError {
  return new ConfigError("rateLimit.trustProxy", TRUST_WANTED, describe(value));
}
