// What is refused of messages by their members alone (PROTOCOL 3): the changes that are made to messages
// which are taken. Who reads them is readMessages.ts.
import type { Json } from '#agent/base/jcs.ts';

/** A message as JSON. */
export type JsonObject = { readonly [name: string]: Json };

/** What makes of a message one that is refused. */
export interface Change {
  readonly name: string;
  readonly message: string;
  readonly change: (value: JsonObject) => Json;
}

/** A pod of a directory. */
const POD = { uid: 'u', ips: [], spiffeId: 'spiffe://example.org/a', ports: [] };
/** A chain of a presence. */
const CHECKED = { chainId: '0'.repeat(32), slot: 1, check: 'AAAAAAAAAAA' };

/** Members of each message that are given another value, one at a time. */
const OTHERWISE: Readonly<Record<string, readonly (readonly [member: string, value: Json])[]>> = {
  statement: [
    ['v', 2],
    ['node', 'Node-a'],
    ['domain', 'd'.repeat(256)],
    ['cluster', 'c'.repeat(64)],
    ['algorithms', [256]],
    ['algorithms', [1.5]],
    ['algorithms', Array.from({ length: 65 }, () => 1)],
    ['issuedAt', -1],
    ['nonce', 'AAAAAAAAAAAAAAAAAAAAAB'], // its last bits belong to no byte
    ['nonce', 'AAAAAAAAAAAAAAAAAAAAAA=='],
    ['lane', 'AAAA'],
  ],
  evidence: [
    ['bank', 'sha1'],
    ['pcrs', { 24: '00'.repeat(32) }],
    ['pcrs', { 7: '00' }],
  ],
  challenge: [
    ['ask', 'admit'],
    ['node', ''],
  ],
  challengeAnswer: [
    ['basis', 'A'.repeat(64)],
    ['random', 'AAAA'],
    ['conductor', 'node-b'],
  ],
  join: [
    ['ask', 'challenge'],
    ['sid', 'A'.repeat(32)],
    ['needsChains', 1],
  ],
  joinAnswer: [
    ['ok', 'yes'],
    ['reason', 'r'.repeat(2001)],
  ],
  change: [
    ['from', 'A'.repeat(64)],
    ['whole', 0],
    ['put', [{ node: 'a' }]],
    ['gone', ['Node-a']],
  ],
  meet: [
    ['to', ''],
    ['slot', -1],
  ],
  meetAnswer: [
    ['ok', 1],
    ['reason', 'r'.repeat(2001)],
  ],
  entry: [
    ['verdict', 'contraindicated'],
    ['level', 'software'],
    ['receipt', { conductor: 'node-b', at: 1 }],
    ['receipt', { conductor: '0'.repeat(32), at: -1 }],
    ['expiresAt', 0.5],
  ],
  revocation: [
    ['domain', ''],
    ['cluster', 'c'.repeat(64)],
    ['node', 'Node-a'],
    ['reason', ''],
    ['reason', 'r'.repeat(1001)],
    ['issuedAt', 8_640_000_000_000_001],
    ['issuedAt', -1],
    ['until', 0],
    ['until', 8_640_000_000_000_001],
    ['revokedAt', 0],
  ],
  enrolment: [
    ['domain', 'Example.org'],
    ['node', 'Node-b'],
    ['ekDigest', '0'.repeat(63)],
    ['akName', '0'.repeat(66)],
    ['reference', { bank: 'sha1', pcrs: {} }],
    ['reference', { bank: 'sha256', pcrs: { 10: '0'.repeat(64) } }],
    ['reference', { bank: 'sha256', pcrs: { 24: '0'.repeat(64) } }],
    ['reference', { bank: 'sha256', pcrs: { 7: '0'.repeat(40) } }],
    ['reference', { bank: 'sha256', pcrs: {}, warn: [] }],
    ['issuedAt', 8_640_000_000_000_001],
  ],
  'enrolment-delegation': [
    ['domain', ''],
    ['cluster', 'c'.repeat(64)],
    ['until', 0],
    ['until', 8_640_000_000_000_001],
    ['nodes', []],
    ['nodes', ['*']],
    ['nodes', ['worker-*-a']],
    ['nodes', ['worker-**']],
    ['nodes', ['Worker-*']],
    ['nodes', Array.from({ length: 65 }, (_, n) => `n${n}`)],
    ['ekRoots', []],
    ['ekRoots', ['AAA=']],
    ['ekRoots', Array.from({ length: 17 }, () => 'AAAA')],
    ['reference', { bank: 'sha256', pcrs: { 10: '0'.repeat(64) } }],
  ],
  credentialAsk: [
    ['ask', 'endorse'],
    ['node', 'Node-b'],
    ['akPublic', 'AAA='],
  ],
  credentialAnswer: [
    ['ok', 1],
    ['reason', 'r'.repeat(2001)],
    ['credential', { credentialBlob: 'AAAA' }],
  ],
  endorseAsk: [
    ['ask', 'credential'],
    ['secret', 'AAAA'],
    ['payload', {}],
  ],
  endorseAnswer: [
    ['ok', 1],
    ['endorsement', {}],
  ],
  endorsement: [
    ['quote', { message: 'AAAA' }],
    ['pcrs', { 24: '0'.repeat(64) }],
    ['pcrs', { 7: '0'.repeat(40) }],
  ],
  workloads: [
    ['seq', 2 ** 53],
    ['lane', { address: 'node-b', port: 15_008 }],
    ['lane', { address: '192.0.2.1', port: 0 }],
    ['lane', { address: '192.0.2.1', port: 65_536 }],
    ['pods', [{ ...POD, uid: '' }]],
    ['pods', [{ ...POD, uid: 'u'.repeat(129) }]],
    ['pods', [{ ...POD, spiffeId: 'spiffe://example.org/..' }]],
    ['pods', [{ ...POD, ips: ['10.0.0.256'] }]],
    ['pods', [{ ...POD, ips: ['0.0.0.0'] }]],
    ['pods', [{ ...POD, ips: ['127.0.0.1'] }]],
    ['pods', [{ ...POD, ips: ['169.254.0.1'] }]],
    ['pods', [{ ...POD, ips: ['224.0.0.1'] }]],
    ['pods', [{ ...POD, ips: ['255.255.255.255'] }]],
    ['pods', [{ ...POD, ips: ['::'] }]],
    ['pods', [{ ...POD, ips: ['0::1'] }]],
    ['pods', [{ ...POD, ips: ['FE80::1'] }]],
    ['pods', [{ ...POD, ips: ['ff02::1'] }]],
    ['pods', [{ ...POD, ips: ['::ffff:10.0.0.1'] }]],
    ['lane', { address: '127.0.0.1', port: 15_008 }],
    ['pods', [{ ...POD, ips: Array.from({ length: 17 }, () => '10.0.0.1') }]],
    ['pods', [{ ...POD, ports: Array.from({ length: 65 }, () => 80) }]],
  ],
  lease: [
    ['holder', { node: 'node-b' }],
    ['term', -1],
    ['beat', 0.5],
  ],
  'epoch-record': [
    ['kind', 'begin'],
    ['kind', 'epoch'], // it has a rootCommit and no parent
    ['parent', '0'.repeat(32)], // and so begins no generation
    ['term', 0],
    ['epoch', 2 ** 40 + 1],
    ['periodMs', 999],
    ['periodMs', 60_001],
    ['algorithm', 9],
    ['beacon', 'AAAA'],
    ['conductor', 'node-b'],
  ],
  sealed: [
    ['sealKey', '0'.repeat(15)],
    ['slot', -1],
    ['enc', 'AAAA'],
  ],
  secrets: [
    ['root', 'AAAA'],
    ['chains', [{}]],
  ],
  presence: [
    ['seq', -1],
    ['hop', 4],
    ['clockOffsetMs', '0'],
    ['chains', Array.from({ length: 5 }, () => CHECKED)],
    ['chains', [{ ...CHECKED, slot: 0.5 }]],
    ['withdrawn', ''],
    ['withdrawn', 'w'.repeat(1001)],
  ],
};

/** Members of the one chain in a sealed plaintext that are given another value. */
const CHAIN_OTHERWISE: readonly (readonly [member: string, value: Json])[] = [
  ['conductor', { node: 'node-b', sid: '0'.repeat(32) }],
  ['begins', 'start'],
  ['algorithm', 41],
  ['periodMs', 500],
  ['key', 'AAAA'],
];

const withMore = (value: JsonObject): Json => ({ ...value, more: 1 });
const withoutFirst = (value: JsonObject): Json =>
  Object.fromEntries(Object.entries(value).slice(1));
const shortened = (value: Json): string => JSON.stringify(value).slice(0, 80);

export const refusedChanges = (): readonly Change[] => [
  ...Object.entries(OTHERWISE).flatMap(([message, members]) => [
    { name: 'a member that is not named', message, change: withMore },
    { name: 'a member that is missing', message, change: withoutFirst },
    ...members.map(([member, other]) => ({
      name: `${member} ${shortened(other)}`,
      message,
      change: (value: JsonObject) => ({ ...value, [member]: other }),
    })),
  ]),
  ...CHAIN_OTHERWISE.map(([member, other]) => ({
    name: `a chain of ${member} ${shortened(other)}`,
    message: 'secrets',
    change: ({ chains, ...rest }: JsonObject) => ({
      ...rest,
      chains: (chains as readonly JsonObject[]).map((chain) => ({ ...chain, [member]: other })),
    }),
  })),
  ...(['node', 'entry'] as const).map((member) => ({
    name: member === 'node' ? 'a node twice' : 'a hash that is none',
    message: 'index',
    change: (rows: JsonObject) =>
      Object.values(rows).map((row) => ({
        ...(row as JsonObject),
        [member]: member === 'node' ? 'node-0' : '00',
      })),
  })),
];
