// What each claim of a report means to somebody who is no expert in TPMs, and under which heading it is
// read. Findings are in the words of attest/; this says why they matter.

/** The headings of a page, in order. */
export const GROUPS = [
  'Who signed this report',
  'Which machine it is',
  'What the machine had started',
  'How recent it is',
  'What this report does not tell',
] as const;

export type Group = (typeof GROUPS)[number];

export interface Meaning {
  readonly group: Group;
  /** One sentence. */
  readonly meaning: string;
}

const [SIGNED, MACHINE, STARTED, RECENT, UNTOLD] = GROUPS;

const MEANINGS: Readonly<Record<string, Meaning>> = {
  'report form': { group: SIGNED, meaning: 'The file is as it was written, byte for byte.' },
  'report signature Ed25519': { group: SIGNED, meaning: 'No byte changed since the node signed.' },
  'report signature ML-DSA-65': {
    group: SIGNED,
    meaning: 'The same by an algorithm made to withstand quantum computers.',
  },
  statement: { group: SIGNED, meaning: 'The signing keys are those that this node runs with.' },
  'enrolment signature': {
    group: SIGNED,
    meaning: 'An owner whom you trust took this machine into the cluster.',
  },
  'policy signature': {
    group: SIGNED,
    meaning: 'An owner whom you trust set the rules it is judged by.',
  },
  owner: {
    group: SIGNED,
    meaning: 'It was one and the same owner: who speaks for one cluster says nothing of another.',
  },
  evidence: { group: STARTED, meaning: 'The proof that the machine’s security chip gave.' },
  enrolment: { group: MACHINE, meaning: 'It is the node that the owners enrolled by this name.' },
  policy: { group: MACHINE, meaning: 'The rules are those of its cluster.' },
  'endorsement key': { group: MACHINE, meaning: 'It is the very security chip that was enrolled.' },
  'attestation key': {
    group: MACHINE,
    meaning: 'The key that signed the measurements is the enrolled one and signs nothing else.',
  },
  'AK belongs to EK': {
    group: MACHINE,
    meaning: 'That key lives inside that chip and cannot be copied out of it.',
  },
  'EK certificate chain': { group: MACHINE, meaning: 'The chip was made by a maker you trust.' },
  bank: { group: STARTED, meaning: 'The measurements are of the kind that the rules ask for.' },
  'PCR bank': { group: STARTED, meaning: 'The firmware really measured into these registers.' },
  'quote signature': { group: STARTED, meaning: 'The chip itself signed the measurements.' },
  'quote format': { group: STARTED, meaning: 'What it signed is a measurement and nothing else.' },
  'PCR selection': {
    group: STARTED,
    meaning: 'It signed exactly the registers that were asked for.',
  },
  'PCR digest': { group: STARTED, meaning: 'The values shown are those that it signed.' },
  'event log': {
    group: STARTED,
    meaning: 'The machine’s record of its start leads to these values.',
  },
  'event log data': { group: STARTED, meaning: 'The details in that record were measured too.' },
  nonce: {
    group: RECENT,
    meaning: 'The chip answered this very question, for the keys of this very node.',
  },
  challenge: { group: RECENT, meaning: 'Whether the question was a recent one.' },
  'TPM clock': { group: RECENT, meaning: 'The chip’s counters of restarts and of time.' },
  freshness: { group: RECENT, meaning: 'How long ago the machine was looked at.' },
  revocation: { group: RECENT, meaning: 'Whether the owners have since withdrawn their word.' },
  'TPM firmware': { group: UNTOLD, meaning: 'Which software the chip itself runs.' },
  IMA: { group: UNTOLD, meaning: 'Which programs ran after the start.' },
  'confidential computing': { group: UNTOLD, meaning: 'Whether memory is encrypted.' },
  'node facts': { group: UNTOLD, meaning: 'Whether what the node says of itself is true.' },
};

const UNKNOWN: Meaning = { group: STARTED, meaning: '' };

/** What the claim of this name means; nothing for one that this version does not know. */
export const meaningOf = (claim: string): Meaning =>
  Object.hasOwn(MEANINGS, claim) ? (MEANINGS[claim] ?? UNKNOWN) : UNKNOWN;

/** `PCR 4` is read in the table of registers; undefined for every other claim. */
export function registerOf(claim: string): number | undefined {
  const index = /^PCR (\d+)$/.exec(claim)?.[1];
  return index === undefined ? undefined : Number(index);
}
