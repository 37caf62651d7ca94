// What a verified quote claims, under the names of the specification (Intel TDX DCAP Quoting Library API
// A.3, PCS API v4). It judges nothing: who calls it has verified the bytes.
import { hex } from '#agent/base/bytes.ts';
import { tdAttributes, xfamFeatures } from './attributes.ts';
import type { PckPlatform } from './pck.ts';
import type { TdxQuote } from './quote.ts';
import { namedRegisters } from './registers.ts';
import type { TcbStanding } from './tcbChecks.ts';

export interface Verified {
  readonly quote: TdxQuote;
  readonly platform: PckPlatform;
  /** Absent where no TCB info was judged. */
  readonly standing: TcbStanding | undefined;
}

/** Byte strings as hex, statuses as Intel spells them, null for a level that is not reached. */
export function claimsOf({ quote, platform, standing }: Verified): Record<string, unknown> {
  const { header, report, bodyType } = quote;
  return {
    version: header.version,
    att_key_type: header.attKeyType,
    tee_type: `0x${header.teeType.toString(16)}`,
    qe_svn: header.qeSvn,
    pce_svn: header.pceSvn,
    qe_vendor_id: hex(header.qeVendorId),
    user_data: hex(header.userData),
    ...(bodyType === undefined ? {} : { body_type: bodyType }),
    tee_tcb_svn: hex(report.teeTcbSvn),
    mr_signer_seam: hex(report.mrSignerSeam),
    seam_attributes: hex(report.seamAttributes),
    td_attributes: hex(report.tdAttributes),
    td_attributes_flags: tdAttributes(report.tdAttributes).flags,
    td_debug: tdAttributes(report.tdAttributes).underDebug,
    xfam: hex(report.xfam),
    xfam_features: xfamFeatures(report.xfam),
    ...Object.fromEntries(
      namedRegisters(report).flatMap(([name, value]) => (value ? [[name, hex(value)]] : [])),
    ),
    ...(report.later === undefined ? {} : { tee_tcb_svn2: hex(report.later.teeTcbSvn2) }),
    ...enclaveClaims(quote),
    ppid: platform.ppid,
    fmspc: platform.fmspc,
    pce_id: platform.pceId,
    sgx_tcb_components: platform.components,
    pck_pce_svn: platform.pceSvn,
    ...(standing === undefined ? {} : standingClaims(standing)),
  };
}

const enclaveClaims = ({ certification: { report } }: TdxQuote): Record<string, unknown> => ({
  qe_mr_enclave: hex(report.mrEnclave),
  qe_mr_signer: hex(report.mrSigner),
  qe_isv_prod_id: report.isvProdId,
  qe_isv_svn: report.isvSvn,
});

const standingClaims = (standing: TcbStanding): Record<string, unknown> => ({
  tcb_status: standing.status,
  ...(standing.date === undefined ? {} : { tcb_date: standing.date }),
  tcb_evaluation_data_number: standing.evaluation,
  advisory_ids: standing.advisories,
  ...(standing.moduleStatus === undefined ? {} : { module_status: standing.moduleStatus }),
  ...(standing.qeStatus === undefined ? {} : { qe_status: standing.qeStatus }),
});
