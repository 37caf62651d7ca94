// The labels of CoRIM and CoMID (draft-ietf-rats-corim, its CDDL): what stands under which integer, and of
// which shape it is. Constants of the specification only; read.ts walks them.

export type Shape =
  /** Whatever is there, rendered by its own type. */
  | { readonly kind: 'any' }
  /** A tag identifier: text, or a UUID of 16 bytes. */
  | { readonly kind: 'id' }
  /** `[algorithm, value]`. */
  | { readonly kind: 'digest' }
  /** An integer that has a name. */
  | { readonly kind: 'name'; readonly names: Readonly<Record<number, string>> }
  | { readonly kind: 'list'; readonly of: Shape }
  /** One tag of a CoRIM: a CoMID or something else in a byte string. */
  | { readonly kind: 'tag' }
  /** An array whose members differ by their place. */
  | { readonly kind: 'record'; readonly of: readonly (readonly [name: string, shape: Shape])[] }
  | { readonly kind: 'map'; readonly members: Members; readonly required: readonly number[] };

/** Label to name and shape; labels that are not here belong to an extension. */
type Members = Readonly<Record<number, readonly [name: string, shape: Shape]>>;

const any: Shape = { kind: 'any' };
const id: Shape = { kind: 'id' };
const list = (of: Shape): Shape => ({ kind: 'list', of });
const record = (...of: (readonly [name: string, shape: Shape])[]): Shape => ({
  kind: 'record',
  of,
});
const map = (members: Members, ...required: number[]): Shape => ({
  kind: 'map',
  members,
  required,
});

const entities = (roles: Readonly<Record<number, string>>): Shape =>
  list(
    map(
      { 0: ['name', any], 1: ['reg-id', any], 2: ['role', list({ kind: 'name', names: roles })] },
      0,
    ),
  );

const environment = map({
  0: [
    'class',
    map({
      0: ['id', any],
      1: ['vendor', any],
      2: ['model', any],
      3: ['layer', any],
      4: ['index', any],
    }),
  ],
  1: ['instance', any],
  2: ['group', any],
});

const flags = map({
  0: ['is-configured', any],
  1: ['is-secure', any],
  2: ['is-recovery', any],
  3: ['is-debug', any],
  4: ['is-replay-protected', any],
  5: ['is-integrity-protected', any],
  6: ['is-runtime-meas', any],
  7: ['is-immutable', any],
  8: ['is-tcb', any],
  9: ['is-confidentiality-protected', any],
});

const measurement = map(
  {
    0: ['key', any],
    1: [
      'value',
      map({
        0: ['version', map({ 0: ['version', any], 1: ['version-scheme', any] })],
        1: ['svn', any],
        2: ['digests', list({ kind: 'digest' })],
        3: ['flags', flags],
        4: ['raw-value', any],
        5: ['raw-value-mask', any],
        6: ['mac-addr', any],
        7: ['ip-addr', any],
        8: ['serial-number', any],
        9: ['ueid', any],
        10: ['uuid', id],
        11: ['name', any],
        13: ['cryptokeys', any],
        14: ['integrity-registers', any],
        15: ['int-range', any],
      }),
    ],
    2: ['authorized-by', any],
  },
  1,
);

const values = list(record(['environment', environment], ['measurements', list(measurement)]));

/** A concise module identifier: what one module should look like. */
export const COMID = map(
  {
    0: ['language', any],
    1: ['tag-identity', map({ 0: ['id', id], 1: ['version', any] }, 0)],
    2: ['entities', entities({ 0: 'tag-creator', 1: 'creator', 2: 'maintainer' })],
    3: [
      'linked-tags',
      list(
        map({
          0: ['linked-tag-id', id],
          1: ['tag-rel', { kind: 'name', names: { 0: 'supplements', 1: 'replaces' } }],
        }),
      ),
    ],
    4: [
      'triples',
      map({
        0: ['reference-values', values],
        1: ['endorsed-values', values],
        2: ['identity-keys', list(record(['environment', environment], ['keys', any]))],
        3: ['attest-keys', list(record(['environment', environment], ['keys', any]))],
        4: ['domain-dependencies', any],
        5: ['domain-memberships', any],
        6: ['coswids', list(record(['environment', environment], ['tag-ids', any]))],
        8: ['conditional-endorsement-series', any],
        10: ['conditional-endorsements', any],
      }),
    ],
  },
  1,
  4,
);

/** A concise reference integrity manifest: an envelope of tags. */
export const CORIM = map(
  {
    0: ['id', id],
    1: ['tags', list({ kind: 'tag' })],
    2: ['dependent-rims', list(map({ 0: ['href', any], 1: ['thumbprint', any] }, 0))],
    3: ['profile', any],
    4: ['rim-validity', map({ 0: ['not-before', any], 1: ['not-after', any] }, 1)],
    5: ['entities', entities({ 1: 'manifest-creator', 2: 'manifest-signer' })],
  },
  0,
  1,
);

/** Registered CBOR tags (draft-ietf-rats-corim 12.2). */
export const TAG = {
  time: 1,
  cose: 18,
  uri: 32,
  uuid: 37,
  oid: 111,
  corimChoice: 500,
  corim: 501,
  signedCorim: 502,
  coswid: 505,
  comid: 506,
  ueid: 550,
  svn: 552,
  minSvn: 553,
  bytes: 560,
} as const;

/** Named Information Hash Algorithm registry (RFC 6920 9.4). */
export const HASH_NAMES: Readonly<Record<number, string>> = {
  1: 'sha-256',
  7: 'sha-384',
  8: 'sha-512',
  9: 'sha3-224',
  10: 'sha3-256',
  11: 'sha3-384',
  12: 'sha3-512',
};
