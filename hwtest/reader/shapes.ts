// The JSON that PROTOCOL describes as `{name, name?, name: {...}, name: [{...}]}`: where each description
// stands, and whether JSON has exactly those members. It knows no type of a member.
import { isObject, type Json } from './vectors.ts';

/** What PROTOCOL says of a message, and in which section. */
export interface Shape {
  readonly section: string;
  readonly written: string;
}

/** The payloads of signed documents, by kind. */
export const PAYLOADS: Readonly<Record<string, Shape>> = {
  join: { section: '3.2', written: '{v, ask: admit, node, sid, seal, needsChains}' },
  meet: { section: '3.9', written: '{v, node, sid, to, slot}' },
  workloads: {
    section: '3.6',
    written: '{v, node, sid, seq, lane: {address, port}, pods: [{uid, ips, spiffeId, ports}]}',
  },
  revocation: {
    section: '3.8',
    written: '{v, domain, cluster, node, reason, issuedAt, until?, revokedAt?}',
  },
  enrolment: {
    section: '3.10',
    written: '{v, domain, cluster, node, ekDigest, akName, reference: {bank, pcrs}, issuedAt}',
  },
  'enrolment-delegation': {
    section: '3.10',
    written: '{v, domain, cluster, issuedAt, until, nodes, ekRoots, reference: {bank, pcrs}}',
  },
  'epoch-record': {
    section: '4.5',
    written:
      '{v, domain, cluster, term, generation, kind, epoch, parent, atSlot, periodMs, beacon, algorithm, rootCommit?, rosterDigest, prev, conductor: {node, sid}}',
  },
  sealed: {
    section: '4.5',
    written: '{v, recordHash, conductor: {node, sid}, node, sid, sealKey, slot, enc, ciphertext}',
  },
  presence: {
    section: '4.5',
    written:
      '{v, node, sid, seq, nextSeal, chains: [{chainId, slot, check}], clockOffsetMs, hop, withdrawn?}',
  },
};

/** What is exchanged as JSON without being a payload. */
export const STATEMENT: Shape = {
  section: '2',
  written: '{v: 1, domain, cluster, node, sign, lane, seal, algorithms, issuedAt, nonce}',
};
/** What is exchanged on the bus unsigned, by its names in section 13. */
export const UNSIGNED: Readonly<Record<string, Shape>> = {
  evidence: {
    section: '3.1',
    written:
      '{v, statement, challenge: {basis, random}, quote: {message, signature}, bank, pcrs, eventLog, akPublic, ekCertificate}',
  },
  challenge: { section: '3.2', written: '{v, ask: challenge, node}' },
  challengeAnswer: { section: '3.2', written: '{v, conductor: {node, sid}, basis, random}' },
  joinAnswer: { section: '3.2', written: '{v, ok, reason, sealed?}' },
  change: { section: '3.3', written: '{v, from, whole, put, gone}' },
  meetAnswer: { section: '3.9', written: '{v, ok, reason}' },
  credentialAsk: {
    section: '3.10',
    written: '{v, ask: credential, node, ekCertificate, akPublic}',
  },
  credentialAnswer: { section: '3.10', written: '{v, ok, reason, credential?}' },
  endorseAsk: { section: '3.10', written: '{v, ask: endorse, node, secret, payload}' },
  endorseAnswer: { section: '3.10', written: '{v, ok, reason, endorsement?}' },
  endorsement: {
    section: '3.10',
    written: '{enrolment, quote: {message, signature}, pcrs, akPublic}',
  },
  lease: { section: '4.5', written: '{v, holder: {node, sid}, term, beat}' },
};
/** A row of the index of a roster. */
export const INDEX_ROW: Shape = { section: '3.3', written: '{node, sid, entry}' };
/** An entry of a roster. */
export const ENTRY: Shape = {
  section: '3.3',
  written: '{v: 1, statement, evidenceDigest, verdict, level, receipt: {conductor, at}, expiresAt}',
};
/** The plaintext of a sealed message. */
export const SEALED_PLAIN: Shape = { section: '4.5', written: '{root?, chains}' };
/** A chain in it. */
export const SEALED_CHAIN: Shape = {
  section: '4.5',
  written:
    '{chainId, generation, term, epoch, recordHash, rosterDigest, conductor, atSlot, periodMs, algorithm, begins, slot, key}',
};

/** Every shape that stands in the text. */
export const SHAPES: readonly Shape[] = [
  ...Object.values(PAYLOADS),
  ...Object.values(UNSIGNED),
  STATEMENT,
  INDEX_ROW,
  ENTRY,
  SEALED_PLAIN,
  SEALED_CHAIN,
];

/** The paths of all members that a shape names; one that may be missing ends in a question mark. */
function namedPaths(written: string): readonly string[] {
  const paths: string[] = [];
  const within: string[] = [];
  let last = '';
  for (const [token] of written.matchAll(/[{}]|: [a-z0-9]+|\w+\??/g)) {
    if (token === '{') within.push(last);
    else if (token === '}') within.pop();
    else if (!token.startsWith(':')) {
      last = token;
      paths.push([...within, token].join('.'));
    }
  }
  return paths;
}

/** The paths of all members of JSON, those of the items of a list together. */
function memberPaths(value: Json, within: string): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => memberPaths(item, within));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, item]) => [
    `${within}.${name}`,
    ...memberPaths(item, `${within}.${name}`),
  ]);
}

/** The paths in which JSON differs from a shape; below a member that the shape does not open, anything goes. */
export function differences(value: Json, { written }: Shape): readonly string[] {
  const named = namedPaths(written);
  const allowed = new Set(named.map((path) => path.replace('?', '')));
  const present = new Set(memberPaths(value, ''));
  const open = (path: string): boolean => {
    const parent = path.slice(0, path.lastIndexOf('.'));
    return parent !== '' && ![...allowed].some((each) => each.startsWith(`${parent}.`));
  };
  return [
    ...named.filter((path) => !path.endsWith('?') && !present.has(path)),
    ...[...present].filter((path) => !allowed.has(path) && !open(path)),
  ];
}
