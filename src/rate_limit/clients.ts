import type { EventListener } from "../observe/events.ts";
import { remoteAddress } from "../web/connection.ts";
import { type AddressReader, addressReader, type ConnectionInfo, UNKNOWN_ADDRESS } from "./address.ts";
import type { RateLimitOptions } from "./options.ts";

/** Tells clients apart by their addresses, and once of what keeps them from being told apart. */
export class Clients {
  readonly #on: EventListener | undefined;
  readonly #address: AddressReader;
  readonly #trusts: boolean;
  #warned = false;
  #warnedOfUnknown = false;

  constructor({ trustProxy, ipv6Prefix }: RateLimitOptions, on: EventListener | undefined) {
    this.#on = on;
    this.#address = addressReader(trustProxy, ipv6Prefix);
    this.#trusts = trustProxy !== undefined;
  }

  /** The address of the client of a request, in the form that limits count. */
  address(request: Request, info?: ConnectionInfo): string {
    if (!this.#trusts && !this.#warned) {
      const name = ["X-Forwarded-For", "Forwarded"].find((name) => request.headers.has(name));
      if (name) {
        this.#warned = true;
        const message = `A request has ${name}, which is not believed: if a proxy of yours writes it, say so by ` +
          "rateLimit.trustProxy, or all clients share the limit of the proxy";
        this.#on?.({ type: "warning", message });
      }
    }
    const address = this.#address(request, info);
    if (address === UNKNOWN_ADDRESS && !this.#warnedOfUnknown && remoteAddress(request, info) === undefined) {
      this.#warnedOfUnknown = true;
      warnOfUnknown(this.#on);
    }
    return address;
  }
}

/** Tells that clients cannot be told apart: five wrong passwords of anybody would shut out all. */
function warnOfUnknown(on: EventListener | undefined): void {
  const message =
    'The address of a client is not known, so all such clients share the limits of "unknown": give the guard ' +
    "what the " +
    "server tells of the connection, as in Deno.serve((request, info) => handler(request, info)) or " +
    "app.fetch(request, info)";
  on?.({ type: "warning", message });
  // deno-lint-ignore no-console -- said once, and beside the event: who overlooks it is shut out by others
  console.warn(`Larder: ${message}.`);
}
