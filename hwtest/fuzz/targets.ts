// Every target of the fuzzer, under the name that worker.ts looks for.
import { DOCUMENT_TARGETS } from './documentTargets.ts';
import { GUEST_TARGETS } from './guestTargets.ts';
import { LOG_TARGETS } from './logTargets.ts';
import { SIGNED_TARGETS } from './signedTargets.ts';
import type { Target } from './target.ts';
import { TPM_TARGETS } from './tpmTargets.ts';

export const TARGETS: readonly Target[] = [
  ...TPM_TARGETS,
  ...LOG_TARGETS,
  ...GUEST_TARGETS,
  ...DOCUMENT_TARGETS,
  ...SIGNED_TARGETS,
];
