// EV_NONHOST_INFO as Google's virtual firmware writes it (go-tpm-tools proto/state.proto,
// GCEConfidentialTechnology): which kind of confidential machine it believes to run on.
import { Cursor } from '#attest/cursor.ts';
import { printable } from './text.ts';

const NAME = 'GCE NonHostInfo\0';
const TECHNOLOGIES = ['none', 'AMD SEV', 'AMD SEV-ES', 'Intel TDX', 'AMD SEV-SNP'];

/** `GCE NonHostInfo: AMD SEV-SNP`. Errors: EVIDENCE_MALFORMED when it is not Google's. */
export function nonHostInfo(data: Buffer): string {
  const cursor = new Cursor(data, 'non-host information');
  const name = cursor.take(NAME.length).toString('latin1');
  if (name !== NAME) cursor.fail('not of a known platform');
  const technology = cursor.u8();
  return printable(`GCE NonHostInfo: ${TECHNOLOGIES[technology] ?? `technology ${technology}`}`);
}
