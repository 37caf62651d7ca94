import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { TidelockError } from '#agent/base/errors.ts';
import type { Run, RunResult } from '#agent/base/run.ts';
import { openSequences } from './sequence.ts';
import { openTpm } from './tpm.ts';

const workDir = mkdtempSync(join(tmpdir(), 'tl-sequence-'));
afterAll(() => rmSync(workDir, { recursive: true }));

const tcti = 'swtpm:path=/nowhere/tpm.sock';
const ok: RunResult = { code: 0, stdout: Buffer.from('out'), stderr: '' };

const failed = (stderr: string): TidelockError =>
  new TidelockError('PROCESS_FAILED', {
    op: 'run',
    message: 'Cannot complete it: exit code 1',
    hint: '',
    cause: { code: 1, stderr },
  });

/** A TPM that answers by script: what each tool does, in order of calls. */
function scripted(...answers: (string | undefined)[]): { run: Run; calls: string[] } {
  const calls: string[] = [];
  const run: Run = ([program]) => {
    calls.push(program);
    const stderr = answers.shift();
    return stderr === undefined ? Promise.resolve(ok) : Promise.reject(failed(stderr));
  };
  return { run, calls };
}

it('openSequences() runs one sequence at a time, in order, whatever fails', async () => {
  const order: string[] = [];
  const { run } = scripted();
  const queue = openSequences({ tcti, run, workDir });
  const gate = Promise.withResolvers<undefined>();
  const first = queue.run(async () => {
    order.push('first begins');
    await gate.promise;
    order.push('first ends');
    throw new RangeError('first');
  });
  const second = queue.run(() => {
    order.push('second');
    return Promise.resolve(2);
  });
  gate.resolve(undefined);
  await expect(first).rejects.toThrow(RangeError);
  await expect(second).resolves.toBe(2);
  expect(order).toEqual(['first begins', 'first ends', 'second']);
});

it('openSequences() leaves no scratch file behind, after failures too', async () => {
  const queue = openSequences({ tcti, run: scripted().run, workDir });
  let seen = '';
  await queue.run((sequence) => {
    seen = sequence.path('x');
    return Promise.resolve();
  });
  await expect(queue.run(() => Promise.reject(new RangeError()))).rejects.toThrow(RangeError);
  expect(existsSync(seen)).toBe(false);
  expect(readdirSync(workDir)).toEqual([]);
});

it('openSequences() starts a sequence once more when a context died with a TPM reset', async () => {
  const { run, calls } = scripted(undefined, 'Esys_ContextLoad(0x1DF) - integrity');
  const queue = openSequences({ tcti, run, workDir });
  await queue.run(async (sequence) => {
    await sequence.tool('createek');
    await sequence.tool('createak');
  });
  expect(calls).toEqual([
    'tpm2_createek',
    'tpm2_createak',
    'tpm2_flushcontext',
    'tpm2_createek',
    'tpm2_createak',
  ]);
});

it('openSequences() does not repeat a command that the TPM refused for good', async () => {
  const { run, calls } = scripted('Esys_Quote(0x18B) - handle');
  const queue = openSequences({ tcti, run, workDir });
  await expect(queue.run((sequence) => sequence.tool('quote'))).rejects.toMatchObject({
    code: 'TPM_COMMAND',
    message: 'Cannot run TPM2_Quote: TPM_RC_HANDLE (0x18B)',
    response: { code: 0x18b, name: 'TPM_RC_HANDLE' },
  });
  expect(calls).toHaveLength(1);
});

it.each([
  [
    'ERROR:tcti:src/tcti-swtpm.c:614:Tss2_Tcti_Swtpm_Init() Cannot connect to swtpm TPM socket \n',
    'Cannot connect to swtpm TPM socket',
  ],
  ['ERROR: Esys_Quote(0xA000A) - tcti:IO failure', 'the connection broke'],
])('openSequences() calls a TPM that is away unreachable: %s', async (stderr, why) => {
  const queue = openSequences({ tcti, run: scripted(stderr).run, workDir });
  await expect(queue.run((sequence) => sequence.tool('quote'))).rejects.toMatchObject({
    code: 'TPM_UNREACHABLE',
    message: `Cannot reach the TPM at ${tcti}: ${why}`,
    retryable: true,
  });
});

it('openSequences() ends with its owner', async () => {
  const queue = openSequences({ tcti, run: scripted().run, workDir });
  await queue[Symbol.asyncDispose]();
  await expect(queue.run(() => Promise.resolve())).rejects.toMatchObject({
    code: 'TPM_UNREACHABLE',
    retryable: false,
  });
});

it('readPcrs() refuses a bank that the TPM does not keep instead of an empty answer', async () => {
  const run: Run = () =>
    Promise.resolve({ ...ok, stdout: Buffer.from('  sha384:\n    0 : 0xAB\n') });
  const tpm = openTpm({ tcti, run, workDir });
  await expect(tpm.readPcrs('sha384', [0, 7])).rejects.toMatchObject({
    code: 'TPM_BANK_INACTIVE',
    message: 'Cannot read PCR 0, 7 in bank sha384: the TPM does not keep them',
  });
});

it('openTpm() refuses a TCTI that leaves the machine', () => {
  const open = () =>
    openTpm({ tcti: 'swtpm:host=10.0.0.7,port=2321', run: scripted().run, workDir });
  expect(open).toThrow(expect.objectContaining({ code: 'TPM_TCTI_REFUSED' }));
});
