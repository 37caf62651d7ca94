// The messages of a bus as documents, and every value in them that could be a key: long and without
// meaning of its own. Values in base64url are looked into where they are JSON again, as statements are.
import { fromB64url } from '#agent/base/bytes.ts';
import type { Said } from './natsServer.fixture.ts';

/** As long as a key of 16 bytes or more would be. */
const OPAQUE = /^(?:[0-9a-f]{32,}|[A-Za-z0-9_+/-]{22,}=*)$/;

/** A value, the kind of message it was in, and where there; array indices are left out. */
export interface OpaqueValue {
  readonly kind: string;
  readonly path: string;
  readonly value: string;
}

type Members = Readonly<Record<string, unknown>>;

interface Signed {
  readonly kind: string;
  readonly payload: Members;
}

/** Payloads of the signed documents of this kind. */
export const documentsOf = (said: readonly Said[], kind: string): Members[] =>
  said.flatMap(({ data }) => {
    const document = parsed(data) as Signed | undefined;
    return document?.kind === kind ? [document.payload] : [];
  });

/** Every opaque value of every message that agents made; the store's own protocol is not theirs. */
export const opaqueValues = (said: readonly Said[]): OpaqueValue[] =>
  said.flatMap(({ subject, data }) => {
    const value = parsed(data);
    const kind = kindOf(subject, value);
    return kind === undefined ? [] : [...leaves(value, { kind, path: '' })];
  });

/** Undefined: not of an agent. */
function kindOf(subject: string, value: unknown): string | undefined {
  const { kind, ok, basis } = (value ?? {}) as Members;
  if (typeof kind === 'string') return kind;
  // Of a conductor to one that joins; the store's answers repeat what was put into it.
  if (subject.startsWith('_INBOX.'))
    return ok === undefined && basis === undefined ? undefined : 'answer';
  if (subject.startsWith('tl.')) return subject.split('.')[2];
  return /^\$KV\.tl_test_(\w+\.\w+)/.exec(subject)?.[1];
}

type Place = Omit<OpaqueValue, 'value'>;

function* leaves(value: unknown, { kind, path }: Place): Generator<OpaqueValue> {
  if (typeof value === 'string') {
    const inner = value.startsWith('ey') ? parsed(fromB64url(value)) : undefined;
    if (inner !== undefined) yield* leaves(inner, { kind, path });
    else if (OPAQUE.test(value)) yield { kind, path, value };
  } else if (typeof value === 'object' && value !== null) {
    const { kind: inner } = value as Members;
    // A signed document within another message is what it is.
    const isDocument = path !== '' && typeof inner === 'string' && 'signatures' in value;
    const place = isDocument ? { kind: inner, path: '' } : { kind, path };
    for (const [name, member] of Object.entries(value)) {
      const to = place.path === '' ? name : `${place.path}.${name}`;
      yield* leaves(member, Array.isArray(value) ? place : { kind: place.kind, path: to });
    }
  }
}

function parsed(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString()) as unknown;
  } catch {
    return undefined; // not everything on a bus is JSON
  }
}
