import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ChainId, Slot } from '#agent/base/brands.ts';
import { b64url, fromHex } from '#agent/base/bytes.ts';
import type { SignedDocument } from '#agent/base/signed.ts';
import { chainIdOf } from '#proxy/chips/chain.ts';
import { SlotClock } from '#proxy/chips/slotClock.ts';
import { ChainKeeper } from './keeper.ts';
import { OwnStatements } from './ownStatements.ts';
import {
  appraisalOf,
  drawNode,
  examinerOf,
  keptLog,
  NOW_SLOT,
  PERIOD_MS,
  recordBy,
  ROOT,
  stillClock,
} from './records.fixture.ts';
import { sealFor, type SealedChain, type Secrets } from './sealed.ts';
import type { OwnStatement } from './statement.ts';
import { takeSealed, type UnsealingOptions } from './unsealing.ts';

let conductor: OwnStatement;
let member: OwnStatement;
let self: OwnStatement;
beforeAll(async () => {
  [conductor, member, self] = [drawNode('node-a'), drawNode('node-b'), drawNode('node-c')];
});

let keeper: ChainKeeper;
let options: UnsealingOptions;
beforeEach(() => {
  keeper = new ChainKeeper({ maxStalenessMs: 3_600_000 });
  const own = new OwnStatements();
  own.add(self);
  const answers = [conductor, member].map((each) => [each, appraisalOf('affirming')] as const);
  options = {
    examiner: examinerOf(new Map(answers)),
    keeper,
    own,
    follower: { newest: recordBy(conductor).record },
    slots: new SlotClock(stillClock, PERIOD_MS),
    log: keptLog().log,
  };
});

const RECORD_HASH = 'ab'.repeat(32);
const chain: SealedChain = {
  chainId: chainIdOf(fromHex(RECORD_HASH)),
  generation: 1,
  term: 1,
  epoch: 1,
  recordHash: RECORD_HASH,
  rosterDigest: '0'.repeat(64),
  conductor: 'node-a' as SealedChain['conductor'],
  atSlot: NOW_SLOT,
  periodMs: PERIOD_MS,
  algorithm: 1,
  begins: 'heal',
  slot: NOW_SLOT,
  key: b64url(Buffer.alloc(32, 1)),
};

/** What `by` seals to this node. */
const sealed = (by: OwnStatement, secrets: Secrets, recordHash = RECORD_HASH): SignedDocument => {
  const { node, sid } = self.statement;
  return sealFor(by, { node, sid, seal: self.seal.public }, secrets, recordHash, NOW_SLOT);
};
const take = async (by: OwnStatement, secrets: Secrets): Promise<unknown> =>
  takeSealed(sealed(by, secrets), options);

describe('takeSealed()', () => {
  test('takes chains from who conducts, each message under a key of its own', async () => {
    const document = sealed(conductor, { chains: [chain] });
    expect(await takeSealed(document, options)).toBe('chains');
    expect(keeper.get(chain.chainId)?.generation).toBe(1);
    expect(await takeSealed(document, options)).toBe('ignored'); // its seal key is used up
  });

  test('takes chains under both signatures alone', async () => {
    for (const left of ['Ed25519', 'ML-DSA-65']) {
      const { signatures, ...rest } = sealed(conductor, { chains: [chain] });
      const cut = { ...rest, signatures: signatures.filter(({ alg }) => alg === left) };
      expect(await takeSealed(cut, options)).toBe('failed');
      expect(keeper.chains()).toEqual([]);
    }
    const { record } = recordBy(conductor);
    keeper.accept(record);
    const alone = sealed(conductor, { root: b64url(Buffer.from(ROOT)), chains: [] }, record.hash);
    expect(alone.signatures.map(({ alg }) => alg)).toEqual(['Ed25519']);
    expect(await takeSealed(alone, options)).toBe('root'); // to which its record commits, by both
  });

  test('takes nothing from a member that does not conduct, however well it is attested', async () => {
    expect(await take(member, { chains: [chain] })).toBe('ignored');
    expect(keeper.chains()).toEqual([]);
  });

  test('takes nothing before a record says who conducts, or when its evidence fails here', async () => {
    const { follower, examiner } = options;
    options = { ...options, follower: { newest: undefined } };
    expect(await take(conductor, { chains: [chain] })).toBe('ignored');
    const failing = new Map([[conductor, appraisalOf('contraindicated')]]);
    options = { ...options, follower, examiner: examinerOf(failing) };
    expect(await take(conductor, { chains: [chain] })).toBe('ignored');
    options = { ...options, examiner };
    expect(await take(conductor, { chains: [chain] })).toBe('chains');
  });

  test.each([
    ['of a far generation', { generation: 3 }],
    ['of a far term', { term: 3 }],
    ['of a far epoch', { epoch: 100 }],
    ['named after another record', { chainId: '12'.repeat(16) as ChainId }],
    ['that takes effect far in the future', { atSlot: (NOW_SLOT + 1000) as Slot }],
    ['whose key would be ticked for ever', { slot: (NOW_SLOT - 1_000_000) as Slot }],
  ])('refuses a chain %s', async (_what, change) => {
    expect(await take(conductor, { chains: [{ ...chain, ...change }] })).toBe('failed');
    expect(keeper.chains()).toEqual([]);
  });

  test('refuses a root that is not the one its record commits to, then takes the right one', async () => {
    const { record } = recordBy(conductor);
    keeper.accept(record);
    const give = async (root: Buffer): Promise<unknown> =>
      takeSealed(sealed(conductor, { root: b64url(root), chains: [] }, record.hash), options);
    expect(await give(Buffer.alloc(32, 8))).toBe('failed');
    expect(keeper.get(record.chainId)).toBeUndefined();
    expect(await give(Buffer.from(ROOT))).toBe('root');
    expect(keeper.get(record.chainId)).toBeDefined();
  });
});
