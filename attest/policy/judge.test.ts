import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sha256, utf8 } from '#agent/base/bytes.ts';
import { verdictOf, type Check } from '#attest/check.ts';
import { parseEventLog, type EventLog } from '#attest/eventlog/parse.ts';
import { extend, replay } from '#attest/eventlog/replay.ts';
import { BOOT } from '#attest/testdata/boot.ts';
import { logOf, policyOf, updatedBoot, warningOf } from '#attest/testdata/referencePolicy.ts';
import { textEvent } from '#attest/testdata/uefi.ts';
import { noVectors, truths, vector, type LogTruth } from '#attest/testdata/vectors.ts';
import { trustVector } from '#attest/trustVector.ts';
import { addBoot } from './compose.ts';
import { readPolicyDraft, type ReferencePolicy } from './document.ts';
import { judgeBoot } from './judge.ts';
import { measuredIn } from './measured.ts';

const log = logOf(BOOT);
const policy = policyOf([{ log, note: 'golden' }]);

/** The boot of `booted`, quoted as it was measured. */
const judge = (under: ReferencePolicy, booted: EventLog, atMs = 0): Check[] =>
  judgeBoot({ policy: under, log: booted, quoted: replay(booted, under.bank), atMs });

const failures = (checks: readonly Check[]): string[] =>
  checks.filter(({ result }) => result !== 'pass').map(({ name }) => name);
const textOf = (checks: readonly Check[], name: string): string | undefined =>
  checks.find((check) => check.name === name)?.text;

it('judgeBoot() affirms the boot that a policy was made of', () => {
  const checks = judge(policy, log);
  expect(failures(checks)).toEqual([]);
  expect(verdictOf(checks)).toBe('affirming');
});

it('judgeBoot() affirms no executables by registers of settings', () => {
  const settings = { ...policy, registers: { '1': 'enforce', '7': 'enforce' } } as const;
  expect(trustVector(judge(policy, log))).toEqual({ configuration: 2, executables: 3 });
  expect(trustVector(judge(settings, log))).toEqual({ configuration: 2, executables: 0 });
});

it('judgeBoot() names the event that is not enrolled, in words', () => {
  const checks = judge(policy, logOf(updatedBoot(4, 'another boot loader')));
  expect(failures(checks)).toEqual(['PCR 4']);
  expect(verdictOf(checks)).toBe('contraindicated');
  expect(textOf(checks, 'PCR 4')).toMatch(
    /^PCR 4: boot loader digest [0-9a-f]{8}\.\. \(.*\) is not among the 1 enrolled; /,
  );
});

it('judgeBoot() only warns of a register that the policy only warns of', () => {
  const checks = judge(warningOf(policy, 4), logOf(updatedBoot(4, 'another boot loader')));
  expect(verdictOf(checks)).toBe('warning');
});

it('judgeBoot() takes any alternative of each component, and no mixture within one', () => {
  const [loader, kernel] = [updatedBoot(4, 'new loader'), updatedBoot(11, 'new kernel')];
  const golden = [BOOT, loader, kernel].map((boot) => ({ log: logOf(boot), note: '' }));
  const merged = policyOf(golden);
  for (const boot of [BOOT, loader, kernel])
    expect(failures(judge(merged, logOf(boot)))).toEqual([]);
  const both = loader.map(
    (event) => kernel.find(({ pcr }) => pcr === 11 && event.pcr === 11) ?? event,
  );
  expect(failures(judge(merged, logOf(both)))).toEqual([]);

  const whole = merged.components.map((component) => component.alternatives[0]?.events ?? []);
  const updated = merged.components.map((component) => component.alternatives.at(-1)?.events ?? []);
  const tied = readPolicyDraft({
    ...merged,
    components: [
      {
        name: 'all',
        alternatives: [whole, updated].map((events, i) => ({
          id: `${i}`,
          note: '',
          events: events.flat(),
        })),
      },
    ],
  });
  expect(failures(judge(tied, log))).toEqual([]);
  const half = judge(tied, logOf(kernel));
  expect(failures(half)).toEqual(['components']);
  expect(verdictOf(half)).toBe('contraindicated');
  expect(verdictOf(judge(warningOf(tied, 11), logOf(kernel)))).toBe('warning');
});

it('judgeBoot() tells an event at another place, one too many and one too few', () => {
  const [first, second] = BOOT.filter(({ pcr }) => pcr === 7);
  const swapped = BOOT.map((event) =>
    event === first ? second : event === second ? first : event,
  );
  expect(textOf(judge(policy, logOf(swapped.flatMap((e) => e ?? []))), 'PCR 7')).toContain(
    'is enrolled, but not at this place: it stands where',
  );
  expect(textOf(judge(policy, logOf([...BOOT, ...BOOT.slice(-1)])), 'PCR 11')).toContain(
    'it stands after all that is enrolled',
  );
  expect(textOf(judge(policy, logOf(BOOT.slice(0, -1))), 'PCR 11')).toMatch(/: not quoted/);
  const withoutLoader = BOOT.filter(({ pcr, measured }) => pcr !== 4 || measured === undefined);
  expect(textOf(judge(policy, logOf(withoutLoader)), 'PCR 4')).toMatch(
    /^PCR 4: the log lacks boot-stage-1: EV_EFI_BOOT_SERVICES_APPLICATION .*, digest [0-9a-f]{8}\.\.\. /,
  );
  const twice = policyOf([{ log: logOf([...BOOT, ...BOOT.slice(-1)]), note: '' }]);
  expect(textOf(judge(twice, log), 'PCR 11')).toMatch(
    /^PCR 11: the log ends after 1 event, before .*, digest [0-9a-f]{8}\.\.\. /,
  );
});

it('judgeBoot() names what is missing beside what is not enrolled, five events at most', () => {
  const golden = [...BOOT, ...Array.from({ length: 7 }, (_, i) => textEvent(4, 'EV_IPL', `${i}`))];
  const checks = judge(policyOf([{ log: logOf(golden), note: '' }]), logOf(updatedBoot(4, 'new')));
  const text = textOf(checks, 'PCR 4') ?? '';
  expect(text).toMatch(
    / is not among the 1 enrolled; PCR 4: the log lacks boot-stage-1: .*boot-stage-5: /,
  );
  expect(text).toContain(', and 3 more');
});

it('judgeBoot() counts an announced alternative from its day on', () => {
  const update = logOf(updatedBoot(4, 'next boot loader'));
  const how = { bank: 'sha256', notBefore: 1000 } as const;
  const next = {
    ...policy,
    components: addBoot(policy.components, { log: update, note: 'next' }, how),
  };
  expect(textOf(judge(next, update, 999), 'PCR 4')).toContain(
    'is announced, but only from 1970-01-01T00:00:01.000Z on',
  );
  expect(failures(judge(next, update, 1000))).toEqual([]);
  expect(failures(judge(next, log, 1000))).toEqual([]);
});

it('judgeBoot() never passes a log that does not replay to the quoted values', () => {
  const quoted = new Map(replay(log, 'sha256')).set(4, Buffer.alloc(32, 1));
  const checks = judgeBoot({ policy, log, quoted, atMs: 0 });
  expect(failures(checks)).toEqual(['PCR 4']);
  expect(textOf(checks, 'PCR 4')).toContain('extended after the log ended, or the log was edited');
  quoted.delete(4);
  expect(verdictOf(judgeBoot({ policy, log, quoted, atMs: 0 }))).toBe('none');
});

it.each([
  ['with an initrd', ['enter-initrd', 'leave-initrd', 'sysinit', 'ready']],
  ['that is still in its initrd', ['enter-initrd']],
  ['without an initrd', ['sysinit', 'ready']],
])('judgeBoot() accounts for the phases that systemd measures after the log, %s', (_, phases) => {
  const values = replay(log, 'sha256');
  const logged = values.get(11) ?? Buffer.alloc(32);
  const value = phases.reduce<Buffer>(
    (v, phase) => extend('sha256', v, sha256(utf8(phase))),
    logged,
  );
  const quoted = new Map(values).set(11, value);
  const checks = judgeBoot({ policy, log, quoted, atMs: 0 });
  expect(failures(checks)).toEqual([]);
  expect(textOf(checks, 'PCR 11')).toContain(`then the boot phases ${phases.join(', ')}.`);
  // Another word, another order or another register is no phase.
  const odd = extend('sha256', value, sha256(utf8('rescue')));
  expect(
    failures(judgeBoot({ policy, log, quoted: new Map(quoted).set(11, odd), atMs: 0 })),
  ).toEqual(['PCR 11']);
  const four = extend('sha256', values.get(4) ?? logged, sha256(utf8('enter-initrd')));
  expect(
    failures(judgeBoot({ policy, log, quoted: new Map(quoted).set(4, four), atMs: 0 })),
  ).toEqual(['PCR 4']);
});

it('judgeBoot() refuses a log that does not speak for the bank of the policy (trap 4)', () => {
  const sha384 = policyOf([{ log, note: '' }], {}, 'sha384');
  expect(failures(judge(sha384, log))).toEqual([]);
  const other = { ...log, banks: ['sha256'] as const };
  const checks = judgeBoot({ policy: sha384, log: other, quoted: new Map(), atMs: 0 });
  expect(checks).toEqual([expect.objectContaining({ result: 'fail', ceiling: 'contraindicated' })]);
  expect(checks[0]?.text).toContain('bank confusion');
});

it('judgeBoot() decides by digests alone, whatever type and data say (trap 1)', () => {
  const lying = {
    ...log,
    events: log.events.map((event) =>
      event.pcr === 4
        ? { ...event, data: Buffer.from('\\EFI\\evil.efi'), type: 0x8000_0004 }
        : event,
    ),
  };
  expect(failures(judge(policy, lying))).toEqual([]);
  const flattering = updatedBoot(4, 'evil').map((event) =>
    event.pcr === 4 ? { ...event, data: utf8('\\EFI\\BOOT\\BOOTX64.EFI') } : event,
  );
  const checks = judge(policy, logOf(flattering));
  expect(failures(checks)).toEqual(['PCR 4']);
  expect(textOf(checks, 'PCR 4')).toMatch(/What the log calls event \d+ is not measured/);
});

it('judgeBoot() says which registers the policy does not speak of', () => {
  const { 11: _, ...registers } = policy.registers;
  expect(textOf(judge({ ...policy, registers }, log), 'other registers')).toContain('PCR 11 were');
});

describe.skipIf(noVectors !== undefined)(`vectors ${noVectors ?? ''}`, () => {
  const logs = truths<LogTruth>('eventlog')
    .filter(([, { algs, events, error }]) => !error && algs.includes('sha256') && events > 20)
    .map(([path]) => [path, parseEventLog(vector(path))] as const);

  it.each(logs)('judgeBoot() affirms %s under a policy made of it', (_, real) => {
    const made = readPolicyDraft(policyOf([{ log: real, note: '' }]));
    expect(failures(judge(made, real))).toEqual([]);
  });

  it('judgeBoot() refuses every real log with one digest changed, naming the event', () => {
    const cases = logs.flatMap(([path, real]) =>
      measuredIn(real, 'sha256').map(({ event }) => ({ path, real, event })),
    );
    const made = new Map(logs.map(([path, real]) => [path, policyOf([{ log: real, note: '' }])]));
    fc.assert(
      fc.property(
        fc.constantFrom(...cases),
        fc.nat(31),
        fc.nat(7),
        ({ path, real, event }, at, bit) => {
          const digest = Buffer.from(event.digests.get('sha256') ?? '');
          digest[at] = (digest[at] ?? 0) ^ (1 << bit);
          const digests = new Map(event.digests).set('sha256', digest);
          const events = real.events.with(event.index, { ...event, digests });
          const checks = judge(made.get(path) ?? policy, { ...real, events });
          expect(failures(checks)).toEqual([`PCR ${event.pcr}`]);
          expect(textOf(checks, `PCR ${event.pcr}`)).toContain(digest.toString('hex').slice(0, 8));
        },
      ),
    );
  });

  it('judgeBoot() accepts only its golden nodes, of all the real logs', () => {
    const [rhel, ...others] = logs;
    if (rhel === undefined) throw new Error('no logs');
    const made = policyOf([{ log: rhel[1], note: '' }]);
    const accepted = others.filter(([, real]) => verdictOf(judge(made, real)) === 'affirming');
    expect(accepted.map(([path]) => path)).toEqual([expect.stringContaining('data_tampered')]);
  });
});
