// Checks of the TPM: that it answers, that its maker vouches for it, that it is the one the owners
// enrolled, in the state they enrolled. Nothing is made in the TPM; a quote is the agent's to ask for.
import { EXIT } from '#agent/base/codes.ts';
import { hex } from '#agent/base/bytes.ts';
import { counted } from '#agent/base/counted.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { readEventLog } from '#agent/eventLog.ts';
import { bankCheck } from '#attest/bank.ts';
import type { Check as Appraised } from '#attest/check.ts';
import { parseEkCertificate, trustEk } from '#attest/ek.ts';
import { checkEventLog } from '#attest/eventlog/check.ts';
import { quotedPcrs, type AttestationPolicy } from '#attest/policy.ts';
import { bootChecks } from '#attest/policy/boot.ts';
import type { ReferencePolicy } from '#attest/policy/document.ts';
import { strictest, unnamedBy } from '#attest/policy/scope.ts';
import type { PcrValues } from '#attest/quote.ts';
import { referenceChecks } from '#attest/reference.ts';
import { readEkAuthorities } from '#attest/roots/read.ts';
import type { AttestationKey } from '#attest/tpm/ak.ts';
import { fail, pass, warn, type Check } from './check.ts';
import type { Context } from './context.ts';
import { installing, missingPrograms } from './programs.ts';

/** What attest/tpm runs. */
const TOOLS = [
  'activatecredential',
  'createek',
  'createprimary',
  'evictcontrol',
  'flushcontext',
  'getcap',
  'nvread',
  'pcrread',
  'quote',
  'readpublic',
].map((name) => `tpm2_${name}`);

/** tpm2-tools wait for a device that another program holds. */
const TPM_LIMIT_MS = 20_000;

const tools: Check = {
  id: 'tpm2-tools',
  title: 'tpm2-tools',
  explanation: {
    looksAt: `Whether ${TOOLS[0]} to ${TOOLS.at(-1)} are on the PATH.`,
    neededFor: 'They are the only way in which the agent speaks to the TPM.',
    usualCause: 'The package tpm2-tools is not installed, or PATH lacks /usr/bin.',
    remedy: installing(TOOLS),
  },
  exit: EXIT.missing,
  needs: [],
  run: async (context) => {
    const missing = await missingPrograms(TOOLS, context.env);
    const { usualCause, remedy } = tools.explanation;
    return missing.length === 0
      ? pass(`all ${TOOLS.length} are there`)
      : fail(`${missing.join(', ')} not on the PATH`, usualCause, remedy);
  },
};

const tpm: Check = {
  id: 'tpm',
  title: 'TPM',
  explanation: {
    looksAt: 'Whether the TPM at tpm.tcti answers a command.',
    neededFor: 'Without it the node cannot attest itself, and no peer opens a lane to it.',
    usualCause:
      'The device is missing or switched off in the firmware setup, this process may not open it, or a software TPM has ended.',
    remedy:
      'Check that /dev/tpmrm0 exists and that root may open it (in a container: the device is mounted), or start the software TPM; then compare tpm.tcti.',
  },
  exit: EXIT.unreachable,
  needs: ['config', 'tpm2-tools'],
  limitMs: TPM_LIMIT_MS,
  run: async (context) => {
    const { tcti, akHandle } = (await context.config()).tpm;
    let key: AttestationKey | undefined;
    try {
      key = await (await context.tpm()).findAk();
    } catch (thrown) {
      if (!(thrown instanceof TidelockError) || thrown.code !== 'TPM_UNREACHABLE') throw thrown;
      return fail(thrown.message, tpm.explanation.usualCause, tpm.explanation.remedy);
    }
    const handle = `0x${akHandle.toString(16)}`;
    return pass(`${tcti} answers; handle ${handle} is ${key ? 'taken' : 'free'}`);
  },
};

const ek: Check = {
  id: 'ek',
  title: 'EK certificate',
  explanation: {
    looksAt:
      'The endorsement certificate in the TPM’s NV memory, up to a root in attestation.ekRoots.',
    neededFor: 'It is the maker’s word that this is a real TPM; enrolment ties the node to it.',
    usualCause:
      'The maker’s root or intermediate is not in attestation.ekRoots, or the TPM has none.',
    remedy: 'Put the maker’s root and intermediate certificates, PEM or DER, into that directory.',
  },
  exit: EXIT.notVerified,
  needs: ['config', 'tpm'],
  limitMs: TPM_LIMIT_MS,
  run: async (context) => {
    const { usualCause, remedy } = ek.explanation;
    const { ekRoots } = (await context.config()).attestation;
    const certificate = parseEkCertificate(await (await context.tpm()).ekCertificate());
    const { certificates, skipped } = await readEkAuthorities(ekRoots);
    const trust = trustEk(certificate, certificates, context.clock.wallMs());
    const odd = skipped.length === 0 ? '' : `; ${counted(skipped.length, 'file')} there not read`;
    if (!trust.trusted) return fail(`${trust.why}${odd}`, usualCause, remedy);
    const enrolled = await context.enrolment().catch(() => undefined);
    if (enrolled !== undefined && enrolled.enrolment.ekDigest !== certificate.digest) {
      return fail(
        `this is not the enrolled TPM: its EK is ${certificate.digest.slice(0, 16)}.., the enrolled one ${enrolled.enrolment.ekDigest.slice(0, 16)}..`,
        'The TPM or the mainboard was replaced, or the enrolment of another node lies here.',
        'Enrol this node again if the change was intended.',
      );
    }
    return pass(`certified by ${trust.chain.join(' < ')}${odd}`);
  },
};

const ak: Check = {
  id: 'ak',
  title: 'attestation key',
  explanation: {
    looksAt: 'The key at tpm.akHandle: its attributes, and its name against the enrolment.',
    neededFor: 'Quotes are signed by it; peers know its name from the enrolment.',
    usualCause: 'The TPM was replaced, or its endorsement seed was changed (a new key came of it).',
    remedy: 'Enrol this node again if the change was intended.',
  },
  exit: EXIT.notVerified,
  needs: ['config', 'tpm'],
  limitMs: TPM_LIMIT_MS,
  run: async (context) => {
    const { usualCause, remedy } = ak.explanation;
    const enrolled = (await context.enrolment().catch(() => undefined))?.enrolment.akName;
    const key = await (await context.tpm()).findAk();
    if (key === undefined) {
      return warn(
        'not made yet',
        'The agent or enrolment makes it when it is first needed; after TPM2_Clear it is made again.',
        'Nothing to do; run tidelock enroll if this node was never enrolled.',
      );
    }
    const name = hex(key.name);
    if (enrolled === undefined) return pass(`${name.slice(0, 20)}.., no enrolment to compare with`);
    return name === enrolled
      ? pass(`${name.slice(0, 20)}.., as enrolled`)
      : fail(
          `${name.slice(0, 20)}.. is not the enrolled ${enrolled.slice(0, 20)}..`,
          usualCause,
          remedy,
        );
  },
};

const pcrs: Check = {
  id: 'pcrs',
  title: 'PCR values',
  explanation: {
    looksAt:
      'The registers of the policy’s bank, read without a quote, against the reference policy and the enrolled values.',
    neededFor: 'A node whose enforced registers differ is contraindicated and cut off.',
    usualCause:
      'Firmware, boot loader or kernel changed, or a program extended a register after boot.',
    remedy: 'Reboot the node; if the change was intended, enrol it again in that state.',
  },
  exit: EXIT.notVerified,
  needs: ['policy', 'enrolment', 'tpm'],
  limitMs: TPM_LIMIT_MS,
  run: async (context) => {
    const { policy } = await context.policy();
    const enrolled = (await context.enrolment()).enrolment.reference;
    const reference = await context.reference();
    const values = await (await context.tpm()).readPcrs(policy.bank, quotedPcrs(policy));
    const found = [
      bankCheck(policy.bank, values),
      ...referenceChecks(unnamedBy(reference, policy), enrolled, values, undefined),
      ...(reference === undefined ? [] : await shortfallsOf(context, reference, policy, values)),
    ];
    return verdict(pcrs, found, `${values.size} registers in ${policy.bank} are as expected`);
  },
};

/** What a peer would find wrong with this boot, by the log that this node would send. */
async function shortfallsOf(
  context: Context,
  reference: ReferencePolicy,
  policy: AttestationPolicy,
  quoted: PcrValues,
): Promise<Appraised[]> {
  const checks = bootChecks({
    policy: strictest(reference, policy),
    eventLog: await readEventLog((await context.config()).tpm.eventLog),
    bank: policy.bank,
    quoted,
    atMs: context.clock.wallMs(),
  });
  return checks.filter(({ ceiling }) => ceiling !== 'affirming');
}

const eventLog: Check = {
  id: 'event-log',
  title: 'firmware event log',
  explanation: {
    looksAt: 'tpm.eventLog, replayed and compared with the registers.',
    neededFor: 'It explains what was booted when a register differs; it makes no register good.',
    usualCause: 'securityfs is not mounted, the firmware made no log, or the log was edited.',
    remedy: 'mount -t securityfs securityfs /sys/kernel/security, or correct tpm.eventLog.',
  },
  exit: EXIT.missing,
  needs: ['policy', 'tpm'],
  limitMs: TPM_LIMIT_MS,
  run: async (context) => {
    const { policy } = await context.policy();
    const log = await readEventLog((await context.config()).tpm.eventLog);
    const values = await (await context.tpm()).readPcrs(policy.bank, quotedPcrs(policy));
    const { checks } = checkEventLog(log, policy.bank, values);
    return verdict(eventLog, checks, checks.map(({ text }) => text).join(' '));
  },
};

/** What an appraisal would say: a fail where it would cut the node off, else a warning. */
function verdict({ explanation }: Check, found: readonly Appraised[], good: string) {
  const wrong = found.filter(({ result }) => result !== 'pass');
  if (wrong.length === 0) return pass(good);
  const text = wrong.map((check) => check.text).join(' ');
  const cutOff = wrong.some(({ ceiling }) => ceiling === 'contraindicated' || ceiling === 'none');
  return (cutOff ? fail : warn)(text, explanation.usualCause, explanation.remedy);
}

/** From the tools to the state of the registers. */
export const TPM_CHECKS: readonly Check[] = [tools, tpm, ek, ak, pcrs, eventLog];
