// Branded primitives, so that a slot is never passed where an epoch is meant.

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Name of a node, as Kubernetes gives it (DNS subdomain, at most 253 characters). */
export type NodeName = Brand<string, 'NodeName'>;
/** `spiffe://<trust domain>/<path>`, at most 512 characters, as a token can hold (PROTOCOL 9). */
export type SpiffeId = Brand<string, 'SpiffeId'>;
/** `floor(unixMs / periodMs)` of the chain it belongs to (PROTOCOL 4). */
export type Slot = Brand<number, 'Slot'>;
/** 16 bytes in hex: `T(16, SHA-256("tidelock/chain" || record hash))` (PROTOCOL 4). */
export type ChainId = Brand<string, 'ChainId'>;
/** 16 bytes in hex: `T(16, SHA-256(statement))` (PROTOCOL 2). */
export type Sid = Brand<string, 'Sid'>;

const NODE_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
/** No segment is `.` or `..` (SPIFFE-ID 2.2). */
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/;
const HEX16 = /^[0-9a-f]{32}$/;

export const isNodeName = (s: string): s is NodeName => NODE_NAME.test(s);
export const isSpiffeId = (s: string): s is SpiffeId => s.length <= 512 && SPIFFE_ID.test(s);
export const isSid = (s: string): s is Sid => HEX16.test(s);
export const isChainId = (s: string): s is ChainId => HEX16.test(s);

/** The slot that contains `unixMs` for a chain of this period. */
export const slotAt = (unixMs: number, periodMs: number): Slot =>
  Math.floor(unixMs / periodMs) as Slot;

/** Slot arithmetic that keeps the brand. */
export const slotPlus = (slot: Slot, n: number): Slot => (slot + n) as Slot;
