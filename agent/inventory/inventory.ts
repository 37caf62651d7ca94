// What an inventory is: the pods of this node and the services it knows, wherever that knowledge comes
// from. It says what should be there; whether a pod could be captured is known by who captures it.
import type { SpiffeId } from '#agent/base/brands.ts';
import type { TidelockError } from '#agent/base/errors.ts';
import type { PodNetns } from './netns.ts';
import type { ServiceSpec } from './services.ts';

/** One pod (or declared process) of this node. */
export interface LocalPodSpec {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly spiffeId: SpiffeId;
  readonly labels: Readonly<Record<string, string>>;
  /** `sha256:` and 64 hex digits; absent when not declared. */
  readonly imageDigest?: string;
  /** Canonical IPv4 and IPv6 texts, at least one. */
  readonly ips: readonly string[];
  /** Its network namespace, or why there is none to capture. */
  readonly netns: PodNetns;
}

export interface Inventory {
  pods(): readonly LocalPodSpec[];
  /** Of the whole cluster, as far as this node was told. */
  services(): readonly ServiceSpec[];
  /** Why the newest state of the source is not in use, if so. */
  problem(): TidelockError | undefined;
  /** Calls back after each change; the returned function ends it. */
  onChange(callback: () => void): () => void;
  close(): void;
}
