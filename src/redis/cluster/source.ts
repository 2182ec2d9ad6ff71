import type { RedisClient } from "../client.ts";
import type { NodeAddress, SlotRange } from "./slot_map.ts";

/** What the nodes of a cluster are reached with. */
export interface ClusterSource {
  /** The name of the client, for health reports and errors. */
  readonly name: string;
  /** Whether it is a cluster; else one server has all slots, whoever that is at present. */
  readonly cluster: boolean;
  /** The number of the database. */
  readonly db: number;
  /** The nodes to begin with, as far as they are known now. */
  seeds(): NodeAddress[];
  /** Opens a connection to one node; nothing while that is not possible yet. Closing it closes what was opened. */
  open(at: NodeAddress): RedisClient | undefined;
  /** The same for connections on which commands may block. */
  forBlocking(): ClusterSource;
  /** Where a node is reached that the cluster knows under an address. */
  translate(at: NodeAddress): NodeAddress;
  /** Asks who owns which slots, where others than the nodes know that. Rejects with the reason where nobody tells. */
  owners?(): Promise<readonly SlotRange[]>;
  /** Ends what is being asked. */
  close?(): Promise<void>;
}
