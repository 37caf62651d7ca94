import { describe, expect, it } from 'vitest';
import { parseEventLog } from '#attest/eventlog/parse.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { logOf, policyOf, updatedBoot } from '#attest/testdata/referencePolicy.ts';
import { textEvent } from '#attest/testdata/uefi.ts';
import { noVectors, vector } from '#attest/testdata/vectors.ts';
import { addBoot, composeComponents } from './compose.ts';
import { differences } from './difference.ts';

const golden = { log: logOf(BOOT), note: 'golden' };
const policy = policyOf([golden]);
const kinds = (boot: typeof BOOT, atMs = 0, under = policy): string[] =>
  differences(under, logOf(boot), atMs).map(({ kind, component }) => `${kind} ${component}`);

it('differences() finds none in the boot that the policy was made of', () => {
  expect(kinds(BOOT)).toEqual([]);
});

it('differences() says what an update changes, adds, removes and reorders', () => {
  expect(kinds(updatedBoot(4, 'new'))).toEqual(['changed boot-stage-1']);
  expect(kinds([...BOOT, ...BOOT.slice(-1)])).toEqual(['added kernel-image']);
  expect(kinds(BOOT.filter(({ measured }) => measured === undefined))).toEqual([
    'removed boot-stage-1',
    'removed kernel-image',
  ]);
  const swapped = BOOT.with(4, BOOT[5] ?? BOOT[0]!).with(5, BOOT[4] ?? BOOT[0]!);
  expect(kinds(swapped)).toEqual(['reordered secure-boot-policy']);
});

it('differences() shows digests of both and words that do not pass for measured', () => {
  const [found] = differences(policy, logOf(updatedBoot(4, 'new')), 0);
  expect(found?.was).toMatch(/^[0-9a-f]{64}$/);
  expect(found?.now).toMatch(/^[0-9a-f]{64}$/);
  expect(found?.text).toMatch(
    /^PCR 4 boot-stage-1: .*\(not measured\): the same words for both, .* the digest [0-9a-f]{8}\.\. becomes /,
  );
});

it('differences() takes components that hold each other’s events for reordered, and a new one not', () => {
  const stages = ['one', 'two', 'three'].map((name) => textEvent(4, 'EV_EFI_ACTION', name));
  const under = policyOf([{ log: logOf([...BOOT, ...stages]), note: '' }]);
  const [one, two, three] = stages.map((stage) => [stage]);
  const booted = (...order: (typeof stages | undefined)[]) =>
    kinds([...BOOT, ...order.flatMap((stage) => stage ?? [])], 0, under);
  expect(booted(two, one, three)).toEqual(['reordered boot-stage-2']);
  expect(booted(two, three, one)).toEqual(['reordered boot-stage-2']);
  const other = [textEvent(4, 'EV_EFI_ACTION', 'four')];
  expect(booted(two, other, three)).toEqual(['changed boot-stage-2', 'changed boot-stage-3']);
});

it('differences() tells what is announced from what is unknown', () => {
  const update = updatedBoot(4, 'new');
  const how = { bank: 'sha256', notBefore: 1000 } as const;
  const components = addBoot(policy.components, { log: logOf(update), note: 'update' }, how);
  const next = { ...policy, components };
  expect(kinds(update, 999, next)).toEqual(['announced boot-stage-1']);
  expect(kinds(update, 1000, next)).toEqual([]);
});

it('differences() leaves out registers that the policy does not speak of', () => {
  const { 4: _, ...registers } = policy.registers;
  expect(kinds(updatedBoot(4, 'new'), 0, { ...policy, registers })).toEqual([]);
});

it('addBoot() adds nothing for a boot that is there, and an alternative for each part that is not', () => {
  expect(addBoot(policy.components, golden, { bank: 'sha256' })).toEqual(policy.components);
  const update = { log: logOf(updatedBoot(4, 'new')), note: 'update' };
  const alternatives = addBoot(policy.components, update, { bank: 'sha256' })
    .filter((component) => component.alternatives.length > 1)
    .map((component) => [component.name, component.alternatives.map(({ note }) => note)]);
  expect(alternatives).toEqual([['boot-stage-1', ['golden', 'update']]]);
});

it('addBoot() lets a part be absent that only one of two boots has', () => {
  const short = { log: logOf(BOOT.filter(({ pcr }) => pcr !== 11)), note: 'no kernel image' };
  for (const order of [
    [golden, short],
    [short, golden],
  ]) {
    const kernel = composeComponents(order, 'sha256').find(({ name }) => name === 'kernel-image');
    expect(kernel?.alternatives.map(({ id }) => id)).toContain('absent');
    expect(kernel?.alternatives).toHaveLength(2);
  }
});

it('addBoot() makes an announced alternative count at once when it is added again', () => {
  const update = { log: logOf(updatedBoot(4, 'new')), note: 'update' };
  const announced = addBoot(policy.components, update, { bank: 'sha256', notBefore: 1000 });
  const now = addBoot(announced, update, { bank: 'sha256' });
  const alternatives = now.flatMap((component) => component.alternatives);
  expect(alternatives.every(({ notBefore }) => notBefore === undefined)).toBe(true);
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  const real = (name: string) => parseEventLog(vector(`eventlog/gotpm/${name}.bin`));

  it('differences() names boot loaders and Secure Boot when RHEL 8 becomes Ubuntu 21.04', () => {
    const made = policyOf([{ log: real('rhel8-uefi'), note: 'rhel8' }]);
    const texts = differences(made, real('ubuntu-2104-no-secure-boot'), 0).map(({ text }) => text);
    expect(texts).toContainEqual(
      expect.stringMatching(/redhat\\grubx64\.efi .*, becomes .*ubuntu\\grubx64\.efi /),
    );
    expect(texts).toContainEqual(expect.stringMatching(/SecureBoot = 1, .*SecureBoot = 0/));
    const merged = policyOf(
      ['rhel8-uefi', 'ubuntu-2104-no-secure-boot'].map((name) => ({ log: real(name), note: name })),
    );
    expect(differences(merged, real('ubuntu-2104-no-secure-boot'), 0)).toEqual([]);
    expect(differences(merged, real('rhel8-uefi'), 0)).toEqual([]);
  });
});
