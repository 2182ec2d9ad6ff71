import type { EventListener } from "../observe/events.ts";
import type { ResponseAddress } from "./response_key.ts";
import type { ResponsePolicy } from "./response_policy.ts";
import type { StoredResponse } from "./stored_response.ts";

/** What a load needs to know. */
export interface LoadJob {
  /** The request of who asked first. */
  readonly request: Request;
  /** What is known of the connection of who asked first. */
  readonly connection: unknown;
  readonly address: ResponseAddress;
  readonly policy: ResponsePolicy;
  readonly on: EventListener | undefined;
  /** Answers the request of the load. */
  readonly answer: (request: Request) => Response | Promise<Response>;
  /** Whether another variant of the URL may be kept: those on which headers of the request it depends. */
  readonly mayKeep: (vary: StoredResponse["vary"]) => Promise<boolean>;
  /**
   * Whether the handler can be asked once only, so that a condition that it takes in a wrong way could not be taken
   * back.
   */
  readonly once: boolean;
  /** Whether its asker was given a response that says itself that it is for all. */
  readonly isForAll: boolean;
  /** Called when it was found out that the response is not for others. */
  readonly notKept: () => void;
  /** Called when the session of a visitor was looked at, although a key vouches for him. */
  readonly looked: () => void;
  /** Called when the body goes on and on, so that nobody should wait for it, and when it has ended. */
  readonly streams: (streams: boolean) => void;
}
