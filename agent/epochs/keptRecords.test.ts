import { beforeAll, describe, expect, test } from 'vitest';
import { slotPlus } from '#agent/base/brands.ts';
import type { Json } from '#agent/base/jcs.ts';
import { KeptRecords } from './keptRecords.ts';
import { drawNode, garbage, NOW_SLOT, PERIOD_MS, recordBy } from './records.fixture.ts';
import type { EpochRecord } from './record.ts';
import type { OwnStatement } from './statement.ts';
import { subjectsOf } from './subjects.ts';

const KEPT_SLOTS = 6;
const SUBJECTS = subjectsOf('c');
const SIGNER = { isSigner: true, members: 3, random: 0 };

let conductor: OwnStatement;
beforeAll(async () => {
  conductor = drawNode('node-a');
});

/** `count` records, each linked to the one before, oldest first. */
function linked(count: number): EpochRecord[] {
  const all: EpochRecord[] = [];
  for (let epoch = 1; epoch <= count; epoch += 1) {
    const before = all.at(-1);
    const next = before && {
      kind: 'epoch' as const,
      parent: before.chainId,
      prev: before.hash,
      rootCommit: undefined,
    };
    all.push(recordBy(conductor, { epoch, atSlot: slotPlus(NOW_SLOT, epoch), ...next }).record);
  }
  return all;
}

const keeping = (records: readonly EpochRecord[]): KeptRecords => {
  const kept = new KeptRecords(KEPT_SLOTS * PERIOD_MS);
  for (const each of records) kept.add(each);
  return kept;
};

/** A bus that holds `stored`, oldest first. */
function busWith(stored: readonly unknown[]) {
  const published: { readonly value: Json; readonly id: string | undefined }[] = [];
  const state = { isUp: true };
  const bus = {
    get connected() {
      return state.isUp;
    },
    count: () => Promise.resolve(stored.length),
    history: async function* () {
      yield* stored.toReversed();
    },
    publish: (_subject: string, value: Json, id?: string) => {
      if (state.isUp) published.push({ value, id });
      return Promise.resolve(state.isUp);
    },
  };
  return { bus, published, state };
}

const idsOf = (records: readonly EpochRecord[]): string[] => records.map(({ hash }) => hash);

describe('KeptRecords.onRound()', () => {
  test('puts back what an empty bus has lost as it was signed, oldest first, and once', async () => {
    const records = linked(4);
    const kept = keeping(records);
    const { bus, published } = busWith([]);
    kept.onConnect(records.at(-1), SIGNER);
    expect(await kept.onRound(bus, SUBJECTS)).toBe(4);
    expect(published.map(({ id }) => id)).toEqual(idsOf(records));
    expect(published.map(({ value }) => value)).toEqual(records.map(({ document }) => document));
    expect(await kept.onRound(bus, SUBJECTS)).toBe(0);
    expect(published).toHaveLength(4);
  });

  test('puts back only what is newer than an old backup, whatever else lies there', async () => {
    const records = linked(5);
    const kept = keeping(records);
    const stored = [...records.slice(0, 2).map(({ document }) => document), garbage(1), garbage(2)];
    const { bus, published } = busWith(stored);
    kept.onConnect(records.at(-1), SIGNER);
    await kept.onRound(bus, SUBJECTS);
    expect(published.map(({ id }) => id)).toEqual(idsOf(records.slice(2)));
  });

  test('says nothing where the newest record is there, under newer ones', async () => {
    const records = linked(5);
    const kept = keeping(records);
    const { bus, published } = busWith(records.map(({ document }) => document));
    kept.onConnect(records[2], SIGNER);
    expect(await kept.onRound(bus, SUBJECTS)).toBe(0);
    expect(published).toEqual([]);
  });

  test('leaves it to the signer first, and to others by chance in one of at most eight slots', async () => {
    for (const [random, slots] of [
      [0, 1],
      [0.999, 8],
    ] as const) {
      const records = linked(1);
      const kept = keeping(records);
      const { bus, published } = busWith([]);
      kept.onConnect(records[0], { isSigner: false, members: 10_000, random });
      for (let round = 0; round < slots; round += 1) await kept.onRound(bus, SUBJECTS);
      expect(published).toEqual([]);
      await kept.onRound(bus, SUBJECTS);
      expect(published).toHaveLength(1);
    }
  });

  test('begins again when the bus goes away meanwhile', async () => {
    const records = linked(2);
    const kept = keeping(records);
    const { bus, published, state } = busWith([]);
    kept.onConnect(records.at(-1), SIGNER);
    state.isUp = false;
    expect(await kept.onRound(bus, SUBJECTS)).toBe(0);
    state.isUp = true;
    expect(await kept.onRound(bus, SUBJECTS)).toBe(2);
    expect(published.map(({ id }) => id)).toEqual(idsOf(records));
  });

  test('puts nothing back where the bus ceased to answer, and asks again', async () => {
    const records = linked(3);
    const kept = keeping(records);
    const { bus, published } = busWith([]);
    let isAnswered = false;
    const deaf = {
      ...bus,
      history: async function* () {
        yield garbage(1);
        if (!isAnswered) throw new Error('no answer');
      },
    };
    kept.onConnect(records.at(-1), SIGNER);
    expect(await kept.onRound(deaf, SUBJECTS)).toBe(0);
    expect(published).toEqual([]);
    isAnswered = true;
    expect(await kept.onRound(deaf, SUBJECTS)).toBe(3);
  });

  test('keeps the one that it has of two whose signatures alone differ', async () => {
    const records = linked(2);
    const [first] = records;
    if (!first) throw new Error('no record');
    const unsigned = { ...first, document: { ...first.document, signatures: [] } };
    const kept = keeping([...records, unsigned]);
    const { bus, published } = busWith([]);
    kept.onConnect(records.at(-1), SIGNER);
    await kept.onRound(bus, SUBJECTS);
    expect(published.map(({ value }) => value)).toEqual(records.map(({ document }) => document));
  });

  test('reaches back no further than it was told', async () => {
    const records = linked(20);
    const kept = keeping(records);
    const { bus, published } = busWith([]);
    kept.onConnect(records.at(-1), SIGNER);
    await kept.onRound(bus, SUBJECTS);
    expect(published.map(({ id }) => id)).toEqual(idsOf(records.slice(-1 - KEPT_SLOTS)));
  });
});
