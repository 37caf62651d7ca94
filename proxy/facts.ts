// What is told of one connection, while it lives and when it has ended or was refused. It collects
// nothing itself; the control plane reads these by dataMessage.ts.
import type { ChainId } from '#agent/base/brands.ts';
import type { AeadName } from '#proxy/chips/registry.ts';
import type { CloseReason, Refusal } from './counters.ts';

/** Who talks to whom, as far as it is known. */
export interface Facts {
  /** `out` and `in`: over a lane; `local`: within the node; `out` without a peer: to no agent. */
  readonly direction: 'out' | 'in' | 'local';
  /** Pod of this node that takes part. */
  readonly podUid?: string | undefined;
  /** Node at the other end, authenticated. */
  readonly peer?: string | undefined;
  /** SPIFFE IDs. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** The application that connects, as `address:port`; of a lane from another node as that node says. */
  readonly client?: string | undefined;
  /** Original destination as `address:port`. */
  readonly destination?: string | undefined;
  /** Where that leads if it is the address of a service, as `address:port`. */
  readonly endpoint?: string | undefined;
}

/** What a connection has carried; bytes are the application's, without frames. */
interface Carried {
  /** `<worker>.<number>`: no other live connection of this data plane has it. */
  readonly id: string;
  /** Policy rule that allows it, `default`, or the setting `unmeshed` or `unmeshedExcept`. */
  readonly rule: string;
  /** From this node's end outwards. */
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** KEYUPDATEs of kind 1 that this end has sent. */
  readonly keyUpdates: number;
}

/** A live connection. */
export interface LaneInfo extends Facts, Carried {
  /** Unix milliseconds. */
  readonly openedAt: number;
  /** Chain and AEAD that this end seals under now; absent where there is no lane. */
  readonly chain?: ChainId | undefined;
  readonly aead?: AeadName | undefined;
}

/** A connection has ended. */
export interface LaneClosed extends Facts, Carried {
  /** Unix milliseconds. */
  readonly at: number;
  readonly kind: 'closed';
  readonly reason: CloseReason;
  /** One clause more, at most 200 characters. */
  readonly detail?: string | undefined;
  readonly durationMs: number;
}

/** A connection was not allowed, or could not be made. */
export interface LaneRefused extends Facts {
  /** Unix milliseconds. */
  readonly at: number;
  readonly kind: 'refused';
  readonly reason: Refusal;
  /** The policy rule that decided, or one clause; at most 200 characters. */
  readonly detail?: string | undefined;
}

export type LaneEvent = LaneClosed | LaneRefused;
