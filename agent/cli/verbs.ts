// The table of verbs. A verb's file is loaded only when it is called, so that `tidelock status` does
// not pay for what `tidelock demo` needs.
import type { Flags, Verb } from './verb.ts';

export interface VerbEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<RunnableVerb>;
}

/** A verb whose flags are known to itself alone. */
export interface RunnableVerb {
  call<R>(use: <F extends Flags>(verb: Verb<F>) => R): R;
}

const runnable = <F extends Flags>(verb: Verb<F>): RunnableVerb => ({ call: (use) => use(verb) });

/** Every verb, in the order of the help. */
export const VERBS: readonly VerbEntry[] = [
  {
    name: 'demo',
    summary: 'run a two-node cluster on this machine and show it at work',
    load: async () => runnable((await import('./demo.ts')).demo),
  },
  {
    name: 'init',
    summary: 'make the owner keys and sign the attestation policy',
    load: async () => runnable((await import('./init.ts')).init),
  },
  {
    name: 'bus init',
    summary: 'make the keys, certificates and permissions of a NATS bus',
    load: async () => runnable((await import('./busInit.ts')).busInit),
  },
  {
    name: 'bus add',
    summary: 'make credentials for nodes that come to a bus later',
    load: async () => runnable((await import('./busAdd.ts')).busAdd),
  },
  {
    name: 'enroll',
    summary: 'sign this node’s TPM and reference values as an owner',
    load: async () => runnable((await import('./enroll.ts')).enroll),
  },
  {
    name: 'delegate',
    summary: 'let two agents enrol nodes of some names, in place of an owner',
    load: async () => runnable((await import('./delegate.ts')).delegate),
  },
  {
    name: 'revoke',
    summary: 'end the admission of a node, now and on every other node',
    load: async () => runnable((await import('./revoke.ts')).revoke),
  },
  {
    name: 'quarantine',
    summary: 'put a node out for a time, or let it in again',
    load: async () => runnable((await import('./quarantine.ts')).quarantine),
  },
  {
    name: 'agent run',
    summary: 'run the agent of this node',
    load: async () => runnable((await import('./run.ts')).agentRun),
  },
  {
    name: 'config check',
    summary: 'say everything that is wrong with a configuration',
    load: async () => runnable((await import('./configCheck.ts')).configCheck),
  },
  {
    name: 'status',
    summary: 'show what a running agent sees and does',
    load: async () => runnable((await import('./status.ts')).status),
  },
  {
    name: 'epochs',
    summary: 'show how keys rotate: conductor, slot, chains and who confirmed them',
    load: async () => runnable((await import('./epochs.ts')).epochs),
  },
  {
    name: 'lanes',
    summary: 'list live connections, with totals and refusals',
    load: async () => runnable((await import('./lanes.ts')).lanes),
  },
  {
    name: 'why',
    summary: 'say why a pod is carried or not, and what to do about it',
    load: async () => runnable((await import('./why.ts')).why),
  },
  {
    name: 'doctor',
    summary: 'say what is wrong with this machine and the agent on it, and what to do',
    load: async () => runnable((await import('./doctor.ts')).doctor),
  },
  {
    name: 'doctor explain',
    summary: 'explain the checks of doctor, offline',
    load: async () => runnable((await import('./doctor.ts')).doctorExplain),
  },
  {
    name: 'report',
    summary: 'show, write or print the signed attestation report of a node',
    load: async () => runnable((await import('./report.ts')).report),
  },
  {
    name: 'verify',
    summary: 'check an attestation report offline, claim by claim',
    load: async () => runnable((await import('./verify.ts')).verify),
  },
  {
    name: 'evidence eventlog',
    summary: 'check a firmware event log offline and say what it measured',
    load: async () => runnable((await import('#agent/cli/evidence/eventlog.ts')).evidenceEventlog),
  },
  {
    name: 'evidence ccel',
    summary: 'check the event log of a TDX guest offline and replay its RTMRs',
    load: async () => runnable((await import('#agent/cli/evidence/ccel.ts')).evidenceCcel),
  },
  {
    name: 'evidence nitro',
    summary: 'judge the attestation document of an AWS Nitro enclave, offline',
    load: async () => runnable((await import('#agent/cli/evidence/nitro.ts')).evidenceNitro),
  },
  {
    name: 'evidence ear',
    summary: 'judge an attestation result (EAR) that a verifier signed, offline',
    load: async () => runnable((await import('#agent/cli/evidence/ear.ts')).evidenceEar),
  },
  {
    name: 'evidence corim',
    summary: 'show the reference values in a CoRIM or CoMID, offline',
    load: async () => runnable((await import('#agent/cli/evidence/corim.ts')).evidenceCorim),
  },
  {
    name: 'evidence ek',
    summary: 'judge the certificate of a TPM’s key under the roots of its maker, offline',
    load: async () => runnable((await import('#agent/cli/evidence/ek.ts')).evidenceEk),
  },
  {
    name: 'policy from-evidence',
    summary: 'make a reference policy out of golden nodes’ event logs, or add to one',
    load: async () => runnable((await import('./policyFromEvidence.ts')).policyFromEvidence),
  },
  {
    name: 'policy diff',
    summary: 'say what a new node or an update would change of a reference policy',
    load: async () => runnable((await import('./policyDiff.ts')).policyDiff),
  },
  {
    name: 'policy sign',
    summary: 'sign a reference policy as an owner',
    load: async () => runnable((await import('./policySign.ts')).policySign),
  },
  {
    name: 'policy check',
    summary: 'hold the boot of a node against a reference policy',
    load: async () => runnable((await import('./policyCheck.ts')).policyCheck),
  },
  {
    name: 'roots list',
    summary: 'list the roots and intermediates of TPM makers, and where they came from',
    load: async () => runnable((await import('./rootsList.ts')).rootsList),
  },
  {
    name: 'roots add',
    summary: 'add certificates of TPM makers to a bundle',
    load: async () => runnable((await import('./rootsAdd.ts')).rootsAdd),
  },
  {
    name: 'roots check',
    summary: 'say what is wrong with roots: expired, weak, twice there, without a root',
    load: async () => runnable((await import('./rootsCheck.ts')).rootsCheck),
  },
  {
    name: 'evidence ima',
    summary: 'replay an IMA list, and find the part that a register confirms',
    load: async () => runnable((await import('#agent/cli/evidence/ima.ts')).evidenceIma),
  },
  {
    name: 'evidence quote',
    summary: 'check a TPM quote offline, with its event log and IMA list',
    load: async () => runnable((await import('#agent/cli/evidence/quote.ts')).evidenceQuote),
  },
  {
    name: 'evidence snp',
    summary: 'judge an attestation report of AMD SEV-SNP, offline',
    load: async () => runnable((await import('#agent/cli/evidence/snp.ts')).evidenceSnp),
  },
  {
    name: 'evidence tdx',
    summary: 'judge a quote of an Intel TDX trust domain, offline',
    load: async () => runnable((await import('#agent/cli/evidence/tdx.ts')).evidenceTdx),
  },
  {
    name: 'uninstall',
    summary: 'remove what tidelock made on this host, and prove it',
    load: async () => runnable((await import('./uninstall.ts')).uninstall),
  },
  {
    name: 'completion',
    summary: 'print the completion script of a shell',
    load: async () => runnable((await import('./completion.ts')).completion),
  },
  {
    name: 'version',
    summary: 'show the version',
    load: async () => runnable((await import('./version.ts')).version),
  },
];
