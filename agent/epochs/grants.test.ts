import { describe, expect, it } from 'vitest';
import type { NodeName, Sid } from '#agent/base/brands.ts';
import { evidenceKey } from './examiner.ts';
import { grantsOf } from './grants.ts';
import { changeKey, entryKey, indexKey } from './rosterSource.ts';
import { nodeToken, subjectsOf } from './subjects.ts';

const subjects = subjectsOf('prod');
const [self, other] = ['node-a.example.org', 'node-b'] as [NodeName, NodeName];
const SID = 'ab'.repeat(16) as Sid;
const grants = grantsOf(subjects, nodeToken(self));

/** As a server matches (docs.nats.io, "Wildcards"). */
function allows(patterns: readonly string[], subject: string): boolean {
  return patterns.some((pattern) => {
    const [wanted, given] = [pattern.split('.'), subject.split('.')];
    const tail = wanted.at(-1) === '>';
    if (tail ? given.length < wanted.length : given.length !== wanted.length) return false;
    return wanted.every((token, i) => token === '>' || token === '*' || token === given[i]);
  });
}

describe('grantsOf()', () => {
  it.each([
    (node: NodeName) => subjects.presence(node),
    (node: NodeName) => subjects.workloads(node),
    (node: NodeName) => subjects.join(node),
    (node: NodeName) => subjects.meet('node-c' as NodeName, node),
    (node: NodeName) => subjects.enrol('node-c' as NodeName, node),
    (node: NodeName) => subjects.address('10.0.0.1', node),
    (node: NodeName) => `$KV.${subjects.buckets.enrolment}.${nodeToken(node)}`,
    (node: NodeName) => `$KV.${subjects.buckets.roster}.${evidenceKey(node, SID)}`,
    (node: NodeName) => `$JS.API.DIRECT.GET.${subjects.streams.sealed}.${subjects.sealed(node)}`,
  ])('lets a node publish what is its own, and not what is another’s (%#)', (subjectOf) => {
    expect(allows(grants.publish, subjectOf(self))).toBe(true);
    expect(allows(grants.publish, subjectOf(other))).toBe(false);
  });

  it('lets a node hear what everybody may hear, and of what is sealed its own alone', () => {
    const { meet, enrol, address, ...broadcast } = subjects.every;
    const own = [subjects.sealed(self), subjects.meetOfAny(self), subjects.meet(self, other)];
    const asked = [subjects.enrolOfAny(self), subjects.enrol(self, other)];
    const heard = [subjects.record, ...Object.values(broadcast), ...own, ...asked];
    for (const subject of heard) expect(allows(grants.subscribe, subject), subject).toBe(true);
    for (const subject of [
      subjects.sealed(other),
      subjects.sealedAll,
      subjects.meet(other, self),
      subjects.meetOfAny(other),
      subjects.enrol(other, self),
      subjects.enrolOfAny(other),
      meet,
      enrol,
      address,
      '>',
      '_INBOX.x.1',
      '$SYS.x',
    ]) {
      expect(allows(grants.subscribe, subject), subject).toBe(false);
    }
  });

  it('lets nobody delete, purge, change or copy a stream', () => {
    for (const stream of [...Object.values(subjects.streams), 'KV_tl_prod_lease']) {
      for (const verb of ['DELETE', 'PURGE', 'UPDATE', 'MSG.DELETE', 'SNAPSHOT', 'RESTORE']) {
        expect(allows(grants.publish, `$JS.API.STREAM.${verb}.${stream}`)).toBe(false);
      }
    }
    const { sealed } = subjects.streams;
    for (const verb of ['STREAM.MSG.GET', 'CONSUMER.CREATE', 'CONSUMER.DURABLE.CREATE']) {
      expect(allows(grants.publish, `$JS.API.${verb}.${sealed}`)).toBe(false);
    }
  });

  it('lets a node write rosters, whose keys say what they are, and nothing else beside them', () => {
    const at = `$KV.${subjects.buckets.roster}`;
    const digest = '0'.repeat(64);
    for (const key of [
      indexKey(digest, 0),
      indexKey(digest, 1),
      changeKey(digest),
      entryKey(digest),
    ])
      expect(allows(grants.publish, `${at}.${key}`), key).toBe(true);
    for (const key of [`evidence.${SID}`, 'other']) {
      expect(allows(grants.publish, `${at}.${key}`), key).toBe(false);
    }
  });

  it('lets a node write the lease and nothing else beside it', () => {
    const { lease } = subjects.buckets;
    expect(allows(grants.publish, `$KV.${lease}.conductor`)).toBe(true);
    expect(allows(grants.publish, `$KV.${lease}.other`)).toBe(false);
  });

  it('says nothing about another cluster', () => {
    const elsewhere = subjectsOf('other');
    for (const subject of [elsewhere.record, elsewhere.presence(self)]) {
      expect(allows(grants.publish, subject)).toBe(false);
      expect(allows(grants.subscribe, subject)).toBe(false);
    }
  });
});
