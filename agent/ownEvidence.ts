// Evidence of this node as its agent collects it: of the registers that the owners' policy names.
import { collectEvidence, type Evidence, type EvidenceRequest } from '#attest/evidence.ts';
import { quotedPcrs, type AttestationPolicy } from '#attest/policy.ts';
import type { Config } from './config.ts';
import { readEventLog } from './eventLog.ts';

/** What differs from one time to the next, and the policy. */
type Asked = Pick<EvidenceRequest, 'tpm' | 'statement' | 'challenge'> & {
  readonly policy: AttestationPolicy;
};

/** Errors: those of collectEvidence. */
export const ownEvidence = (config: Config, { policy, ...asked }: Asked): Promise<Evidence> =>
  collectEvidence({
    ...asked,
    bank: policy.bank,
    pcrs: quotedPcrs(policy),
    eventLog: () => readEventLog(config.tpm.eventLog),
  });
