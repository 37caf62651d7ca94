// How the guest was launched and how the platform under it is set up, judged by the flags and floors of a
// policy. For authentic reports only: nothing here looks at a signature.
import { about, fail, notChecked, pass, type Check } from '#attest/check.ts';
import { guestPolicy, platformInfo, unknownPlatformBits, type PolicyFlag } from './bits.ts';
import type { SnpPolicy } from './policy.ts';
import { firmwareOrder, firmwareText, HOST_VMPL, type SnpReport } from './report.ts';
import { readTcb, sameTcb } from './tcb.ts';
import type { Vek } from './vek.ts';

/** Judges the launch and the platform of an authentic report. */
export const guestChecks = (report: SnpReport, { product }: Vek, policy: SnpPolicy): Check[] => [
  about('runtime-opaque', debugCheck(report, policy)),
  about('runtime-opaque', migrationCheck(report, policy)),
  about('configuration', launchCheck(report, policy)),
  about('configuration', privilegeCheck(report, policy)),
  about('hardware', platformCheck(report, policy)),
  about('hardware', provisionalCheck(report, product, policy)),
];

function debugCheck({ policy }: SnpReport, { allow_debug: allowed }: SnpPolicy): Check {
  const name = 'debug';
  if (!guestPolicy(policy).debug) {
    return pass(name, 'The host cannot decrypt the guest’s memory for debugging.');
  }
  const text = 'The guest was launched with DEBUG: the host can read and write its memory.';
  return fail(
    name,
    allowed ? `${text} The policy allows it.` : `${text} Launch it without policy bit 19.`,
    allowed ? 'warning' : 'contraindicated',
  );
}

function migrationCheck({ policy }: SnpReport, { allow_migrate_ma: allowed }: SnpPolicy): Check {
  const name = 'migration agent';
  if (!guestPolicy(policy).migrate_ma) {
    return pass(name, 'No migration agent may take the guest elsewhere.');
  }
  const text = 'The guest may be bound to a migration agent, which can copy its memory.';
  return allowed
    ? pass(name, `${text} The policy allows it.`)
    : fail(name, `${text} Launch it without policy bit 18, or allow it in the policy.`);
}

const REQUIRED: readonly (readonly [keyof SnpPolicy, PolicyFlag, string])[] = [
  ['require_single_socket', 'single_socket', 'it may run on several sockets'],
  ['require_ciphertext_hiding', 'ciphertext_hiding', 'it does not ask for ciphertext hiding'],
  ['require_mem_aes_256_xts', 'mem_aes_256_xts', 'it does not ask for AES-256-XTS'],
  ['require_rapl_dis', 'rapl_dis', 'it lets the host measure its power (RAPL)'],
  ['require_page_swap_disable', 'page_swap_disable', 'it lets the host swap its pages out'],
];

function launchCheck(report: SnpReport, policy: SnpPolicy): Check {
  const name = 'guest policy';
  const flags = guestPolicy(report.policy);
  const { min_guest_svn: svn = 0 } = policy;
  const against = [
    ...REQUIRED.filter(([asked, flag]) => policy[asked] === true && !flags[flag]).map(
      ([, , text]) => text,
    ),
    ...(flags.smt && !policy.allow_smt ? ['it may run with simultaneous multithreading'] : []),
    ...(report.guestSvn < svn
      ? [`its SVN is ${report.guestSvn}, needs ${svn}: launch the newer image`]
      : []),
  ];
  return against.length === 0
    ? pass(name, 'Nothing in how the guest was launched is against what is asked.')
    : fail(name, `The guest was launched otherwise than the policy asks: ${against.join('; ')}.`);
}

function privilegeCheck({ vmpl }: SnpReport, { max_vmpl: most }: SnpPolicy): Check {
  const name = 'VMPL';
  if (vmpl === HOST_VMPL) {
    const text = 'The host asked for the report, not the guest: it answers no challenge.';
    return most === undefined
      ? fail(name, text, 'warning')
      : fail(name, `${text} The policy asks for one of VMPL ${most} or below: ask in the guest.`);
  }
  const found = `The report was asked for at VMPL ${vmpl}`;
  if (most === undefined) return notChecked(name, `${found}; the policy sets no max_vmpl.`);
  return vmpl <= most
    ? pass(name, `${found}, ${most} is the least privileged that counts.`)
    : fail(name, `${found}, less privileged than ${most}: ask for it in the kernel or the SVSM.`);
}

function platformCheck({ platformInfo: info }: SnpReport, policy: SnpPolicy): Check {
  const name = 'platform';
  const unknown = unknownPlatformBits(info);
  if (policy.require_alias_check && !platformInfo(info).alias_check_complete) {
    return fail(
      name,
      'Memory was not checked for aliases since the reset (AMD-SB-3015): update the BIOS and the SEV firmware.',
    );
  }
  return unknown === 0n
    ? pass(name, 'The platform information has only what is known.')
    : fail(
        name,
        `The platform information sets bits that are not known, 0x${unknown.toString(16)}: newer firmware than this verifier.`,
        'warning',
      );
}

function provisionalCheck(report: SnpReport, product: Vek['product'], policy: SnpPolicy): Check {
  const name = 'committed firmware';
  const { current, committed } = report;
  const [runs, kept] = [readTcb(report.currentTcb, product), readTcb(report.committedTcb, product)];
  if (firmwareOrder(committed) > firmwareOrder(current)) {
    return fail(
      name,
      `Firmware ${firmwareText(current)} runs, ${firmwareText(committed)} is committed, which firmware never writes.`,
    );
  }
  if (firmwareOrder(current) === firmwareOrder(committed) && sameTcb(runs, kept)) {
    return pass(
      name,
      `Firmware ${firmwareText(current)} runs and is committed: the host cannot roll it back.`,
    );
  }
  const text = `Firmware ${firmwareText(current)} runs, the host can roll it back as far as the committed TCB.`;
  return policy.allow_provisional_firmware
    ? pass(name, `${text} The policy does not forbid it.`)
    : fail(name, `${text} Commit it on the host (SNP_COMMIT).`);
}
