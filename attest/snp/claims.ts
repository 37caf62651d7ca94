// What an authentic report says, under the names of the specification (AMD 56860 1.58, Table 23). Who calls
// this has verified the bytes.
import { hex } from '#agent/base/bytes.ts';
import { guestPolicy, platformInfo } from './bits.ts';
import { firmwareText, type SnpReport } from './report.ts';
import { readTcb } from './tcb.ts';
import type { Vek } from './vek.ts';

const vector = (bits: bigint): string => `0x${bits.toString(16).padStart(16, '0')}`;

/** Bytes in hex, TCBs by component, flags by name. */
export function snpClaims(report: SnpReport, vek: Vek): Readonly<Record<string, unknown>> {
  const { cpu, mitigations } = report;
  const tcb = (raw: Buffer) => readTcb(raw, vek.product);
  return {
    version: report.version,
    guest_svn: report.guestSvn,
    policy: guestPolicy(report.policy),
    family_id: hex(report.familyId),
    image_id: hex(report.imageId),
    vmpl: report.vmpl,
    signature_algo: report.signatureAlgo,
    current_tcb: tcb(report.currentTcb),
    platform_info: platformInfo(report.platformInfo),
    author_key_en: report.authorKeyEn,
    mask_chip_key: report.maskChipKey,
    signing_key: report.signingKey,
    report_data: hex(report.reportData),
    measurement: hex(report.measurement),
    host_data: hex(report.hostData),
    id_key_digest: hex(report.idKeyDigest),
    author_key_digest: hex(report.authorKeyDigest),
    report_id: hex(report.reportId),
    report_id_ma: hex(report.reportIdMa),
    reported_tcb: tcb(report.reportedTcb),
    ...(cpu && { cpuid_fam_id: cpu.family, cpuid_mod_id: cpu.model, cpuid_step: cpu.stepping }),
    chip_id: hex(report.chipId),
    committed_tcb: tcb(report.committedTcb),
    current_build: report.current.build,
    current_minor: report.current.minor,
    current_major: report.current.major,
    current_version: firmwareText(report.current),
    committed_build: report.committed.build,
    committed_minor: report.committed.minor,
    committed_major: report.committed.major,
    committed_version: firmwareText(report.committed),
    launch_tcb: tcb(report.launchTcb),
    ...(mitigations && {
      launch_mit_vector: vector(mitigations.launch),
      current_mit_vector: vector(mitigations.current),
    }),
    product: vek.productName,
    ...(vek.cspId !== undefined && { csp_id: vek.cspId }),
  };
}
