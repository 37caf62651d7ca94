// The files that a configuration names and an agent needs before it can attest its node: which are not
// there, and what to do about it. It reads none of them.
import { access, constants } from 'node:fs/promises';
import { messageOf } from '#agent/base/errors.ts';
import type { SoundSections } from '#agent/config.ts';
import { ENDORSED_REMEDY, ENROL_REMEDY } from '#agent/ownerDocuments.ts';

const BUS_REMEDY = 'Fetch it from whoever runs the bus.';

/** One sentence and a remedy for each file that cannot be read; it may come later, but before the agent starts. */
export async function missingFiles({
  attestation,
  bus,
  kubernetes,
}: Pick<SoundSections, 'attestation' | 'bus' | 'kubernetes'>): Promise<string[]> {
  const files: [string, string | undefined, string][] = [
    [
      'attestation.ekRoots',
      attestation?.ekRoots,
      'Put the root certificates of the TPM’s maker there; tidelock roots add makes a bundle of them.',
    ],
    [
      'attestation.policyFile',
      attestation?.policyFile,
      'Fetch it from the owners; tidelock init writes one.',
    ],
    [
      'attestation.enrolmentFile',
      attestation?.enrolmentFile,
      attestation?.delegationFile === undefined ? ENROL_REMEDY : ENDORSED_REMEDY,
    ],
    [
      'attestation.referenceFile',
      attestation?.referenceFile,
      'Fetch it from the owners; tidelock policy from-evidence writes one.',
    ],
    [
      'attestation.delegationFile',
      attestation?.delegationFile,
      'Fetch it from the owners; tidelock delegate writes one.',
    ],
    ['bus.nkeySeedFile', bus?.nkeySeedFile, BUS_REMEDY],
    ['bus.credentialsFile', bus?.credentialsFile, BUS_REMEDY],
    ['bus.tls.caFile', bus?.tls?.caFile, BUS_REMEDY],
    ['bus.tls.certFile', bus?.tls?.certFile, BUS_REMEDY],
    ['bus.tls.keyFile', bus?.tls?.keyFile, BUS_REMEDY],
    [
      'kubernetes.kubeconfig',
      kubernetes?.kubeconfig,
      'Fetch it from whoever runs the cluster, or leave the setting out within a pod.',
    ],
  ];
  const found = await Promise.all(
    files.map(async ([setting, file, remedy]) => {
      if (file === undefined) return [];
      return access(file, constants.R_OK).then(
        () => [],
        (cause: unknown) => [`${setting}: ${messageOf(cause)}. ${remedy}`],
      );
    }),
  );
  return found.flat();
}
