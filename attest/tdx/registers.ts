// The values of a TD report under their names in the specification, as claims and policies spell them.
import { hex, type Bytes } from '#agent/base/bytes.ts';
import type { TdReport } from './tdReport.ts';

export type RegisterName =
  | 'mr_td'
  | 'rtmr0'
  | 'rtmr1'
  | 'rtmr2'
  | 'rtmr3'
  | 'mr_seam'
  | 'mr_config_id'
  | 'mr_owner'
  | 'mr_owner_config'
  | 'mr_service_td'
  | 'report_data';

/** What a policy may name a value for; `mr_service_td` is undefined before TDX 1.5. */
export function namedRegisters(
  report: TdReport,
): readonly (readonly [RegisterName, Buffer | undefined])[] {
  return [
    ['mr_td', report.mrTd],
    ...rtmrsOf(report),
    ['mr_seam', report.mrSeam],
    ['mr_config_id', report.mrConfigId],
    ['mr_owner', report.mrOwner],
    ['mr_owner_config', report.mrOwnerConfig],
    ['mr_service_td', report.later?.mrServiceTd],
    ['report_data', report.reportData],
  ];
}

/** The four run-time measurement registers. */
export function rtmrsOf({
  rtmrs: [rtmr0, rtmr1, rtmr2, rtmr3],
}: TdReport): readonly (readonly ['rtmr0' | 'rtmr1' | 'rtmr2' | 'rtmr3', Buffer])[] {
  return [
    ['rtmr0', rtmr0],
    ['rtmr1', rtmr1],
    ['rtmr2', rtmr2],
    ['rtmr3', rtmr3],
  ];
}

/** The first 8 bytes, for sentences. */
export const shortValue = (value: Bytes): string => `${hex(value).slice(0, 16)}..`;

/** True of a register that nothing was put into. */
export const isZero = (value: Bytes): boolean => value.every((byte) => byte === 0);
