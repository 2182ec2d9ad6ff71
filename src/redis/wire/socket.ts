import type { Intake } from "./parser.ts";

/** A connection as the runtime gives it. */
export interface Socket {
  /**
   * Puts what arrives into `intake` until the other side ends it. Rejects when it fails, is closed here, or `intake`
   * throws.
   */
  read(intake: Intake): Promise<void>;
  /** Sends all of it. The bytes must stay as they are until then. */
  write(bytes: Uint8Array): Promise<void>;
  /** Keeps the process alive while it is open, as it does at first, or not. */
  hold(held: boolean): void;
  /** Closes it at once, in whatever state it is. */
  close(): void;
}

/** Certificates for a connection over TLS, as PEM texts. */
export interface TlsCertificates {
  /** Authorities to trust beside those of the system. */
  readonly caCerts?: readonly string[] | undefined;
  /** The certificate to show to the server, and those behind it. */
  readonly cert?: string | undefined;
  /** Its private key. */
  readonly key?: string | undefined;
}

/** Where to connect to. */
export interface Endpoint {
  /** Host name or address. */
  readonly hostname: string;
  /** TCP port. */
  readonly port: number;
  /** The socket of a server on the same machine, instead of host and port. */
  readonly path?: string | undefined;
  /** Whether to encrypt, and how. */
  readonly tls?: boolean | TlsCertificates | undefined;
}
