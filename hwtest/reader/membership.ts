// PROTOCOL 3.1 to 3.3, 3.7 and 3.10: what quotes bind, the random of joining, entry and roster, names on the bus.
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { hex, join, text, truncate, uint } from './bytes.ts';
import { jcs } from './jcs.ts';
import type { JsonObject, Rows } from './vectors.ts';

/** Base32hex in lower case without padding (RFC 4648 7). */
function base32hex(bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('');
  const groups = bits.match(/.{1,5}/g) ?? [];
  return groups.map((group) => Number.parseInt(group.padEnd(5, '0'), 2).toString(32)).join('');
}

/** The hash of an RFC 6962 tree (2.1) of the hashes of its leaves. */
function treeHash(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return sha256(new Uint8Array());
  if (leaves.length === 1) return only;
  let left = 1;
  while (left * 2 < leaves.length) left *= 2;
  return sha256(
    join(Uint8Array.of(1), treeHash(leaves.slice(0, left)), treeHash(leaves.slice(left))),
  );
}

/** What each node has a subject of its own for, and the cluster a stream. */
const OF_NODES = ['sealed', 'presence', 'workloads', 'revocation'];

const named = (names: readonly string[], nameOf: (name: string) => string): JsonObject =>
  Object.fromEntries(names.map((name) => [name, nameOf(name)]));

/** The rows of sections 3.1 to 3.3, 3.7 and 3.10. */
export const membershipRows: Rows = {
  busNames: (given) => {
    const cluster = given.text('cluster');
    const token = base32hex(text(given.text('node')));
    const addressToken = base32hex(text(given.text('address')));
    const askerToken = base32hex(text(given.text('asker')));
    return {
      token,
      addressToken,
      evidenceKey: `evidence.${token}.${given.text('sid')}`,
      subjects: {
        record: `tl.${cluster}.record`,
        ...named([...OF_NODES, 'join'], (name) => `tl.${cluster}.${name}.${token}`),
        meet: `tl.${cluster}.meet.${token}.${askerToken}`,
        enrol: `tl.${cluster}.enrol.${token}.${askerToken}`,
        address: `tl.${cluster}.address.${addressToken}.${token}`,
      },
      streams: named(
        ['record', ...OF_NODES, 'address'],
        (name) => `TL_${cluster}_${name.toUpperCase()}`,
      ),
      buckets: named(['roster', 'enrolment', 'lease'], (name) => `tl_${cluster}_${name}`),
      atMost: {
        record: 32 * 1024,
        sealed: 512 * 1024,
        presence: 16 * 1024,
        workloads: 512 * 1024,
        revocation: 16 * 1024,
      },
    };
  },

  extraData: (given) => {
    const challenge = sha256(join(given.bytes('basis'), given.bytes('random')));
    const statementHash = sha256(given.bytes('statement'));
    return {
      challenge: hex(challenge),
      extraData: hex(sha256(join('tidelock/evidence/v1', challenge, statementHash))),
    };
  },

  endorsementData: (given) => {
    const document = given.object('document');
    const [kind, delegation] = [document.text('kind'), document.json('payload')];
    const payloadHash = sha256(jcs(given.json('payload')));
    const delegationHash = sha256(jcs({ v: 1, kind, payload: delegation }));
    return {
      payloadHash: hex(payloadHash),
      delegationHash: hex(delegationHash),
      extraData: hex(sha256(join('tidelock/endorsement/v1', payloadHash, delegationHash))),
    };
  },

  joinRandom: (given) => {
    const shown = join(uint(6, given.number('timeMs')), given.bytes('salt'));
    const tag = hmac(sha256, given.bytes('key'), join(shown, given.text('node')));
    return { random: hex(join(shown, truncate(16, tag))) };
  },

  entry: (given) => ({ hash: hex(sha256(jcs(given.json('entry')))) }),

  rosterDigest: (given) => {
    const rows = given
      .objects('rows')
      .toSorted((a, b) => (a.text('node') < b.text('node') ? -1 : 1));
    const leaves = rows.map((row) => sha256(join(Uint8Array.of(0), jcs(row.values))));
    return { leaves: leaves.map(hex), rosterDigest: hex(treeHash(leaves)) };
  },
};
