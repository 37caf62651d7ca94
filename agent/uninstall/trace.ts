// One thing that tidelock can make on a host, whether it is there now, and how it is removed.

export type Presence =
  | 'absent'
  | 'there'
  /** It could not be looked at, so nothing is proved about it. */
  | 'unknown';

export interface Trace {
  readonly kind: 'process' | 'listener' | 'rules' | 'setting' | 'file' | 'tpm key';
  /** For people: `nftables table inet tidelock`. */
  readonly what: string;
  /** A pod, a path, a handle, a pid. */
  readonly where: string;
  readonly presence: Presence;
  /** Why it is unknown, or what else to know of it. */
  readonly note?: string;
  /** What is lost with it for good, if anything: its removal is asked for by name. */
  readonly loses?: string;
  /** Errors: those of its part. */
  readonly remove: () => Promise<void>;
}

/** A part of the host that could not be looked at. */
export const unknownTrace = (of: Pick<Trace, 'kind' | 'what' | 'where'>, note: string): Trace => ({
  ...of,
  presence: 'unknown',
  note,
  remove: () => Promise.resolve(),
});
