// What a bench measures: one way from a client to a server, and what lies between them. The types that
// beds make and measurements use; nothing is started here.
import type { Rig, RigPod } from '#hwtest/rig/rig.ts';

/**
 * `lanes` are those that the verdict is about, `variant` lanes in another setting, `tunnel` a way
 * without TLS and without identities, which no verdict compares with.
 */
export type SubjectKind = 'direct' | 'relay' | 'lanes' | 'variant' | 'mtls' | 'tunnel';

export interface Subject {
  readonly name: string;
  /** As the table shows it. */
  readonly label: string;
  readonly kind: SubjectKind;
  readonly rig: Rig;
  /** Where load comes from. */
  readonly client: RigPod;
  /** Where the client connects to, for echoes and for iperf3. */
  readonly address: string;
  readonly echoPort: number;
  readonly bulkPort: number;
  /** The processes between client and server on both nodes; their children belong to them. */
  readonly pids: readonly number[];
  /** Processes that belong to it and carry no bytes: the control planes of agents. */
  readonly beside: readonly number[];
  /** Of lanes only. */
  readonly agents?: Agents;
}

/** The agents behind lanes, as a measurement of rotation needs them. */
export interface Agents {
  /** Length of a slot. */
  readonly periodMs: number;
  /** Slots that the agents have seen begin. */
  slotsSeen(): Promise<number>;
  /** Waits until both agents are attested, captured and agree on keys. Errors: RIG_PROGRAM. */
  inStep(): Promise<void>;
}
