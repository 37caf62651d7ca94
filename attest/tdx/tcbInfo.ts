// Intel's TCB info for TDX (PCS API v4, /tdx/certification/v4/tcb): which versions of microcode, firmware
// and TDX module a kind of processor needs, newest first. It compares; the signature is judged elsewhere.
import { problemsOf } from '#agent/base/schema.ts';
import { malformed } from '#attest/cursor.ts';
import { z } from 'zod';
import { masked } from './attributes.ts';
import { fromHex, hex } from '#agent/base/bytes.ts';
import { TCB_COMPONENTS, type PckPlatform } from './pck.ts';
import { dateText, hexText, parseJson } from './signedText.ts';
import { TCB_STATUSES } from './tcbStatus.ts';
import type { TdReport } from './tdReport.ts';

const svn = z.int().min(0).max(0xffff);
const component = z.object({
  svn: z.int().min(0).max(0xff),
  category: z.string().max(100).optional(),
  type: z.string().max(100).optional(),
});
const components = z.array(component).length(TCB_COMPONENTS);
export const levelFields = {
  tcbDate: z.string().max(40),
  tcbStatus: z.enum(TCB_STATUSES),
  advisoryIDs: z.array(z.string().max(40)).max(500).default([]),
};
const signer = {
  mrsigner: hexText(48),
  attributes: hexText(8),
  attributesMask: hexText(8),
};
export const svnLevels = z
  .array(z.object({ tcb: z.object({ isvsvn: svn }), ...levelFields }))
  .max(200);

const schema = z.object({
  id: z.literal('TDX'),
  version: z.literal(3),
  issueDate: dateText,
  nextUpdate: dateText,
  fmspc: hexText(6),
  pceId: hexText(2),
  tcbEvaluationDataNumber: z.int().min(0),
  tdxModule: z.object(signer),
  tdxModuleIdentities: z
    .array(z.object({ id: z.string().max(40), ...signer, tcbLevels: svnLevels }))
    .max(100)
    .default([]),
  tcbLevels: z
    .array(
      z.object({
        tcb: z.object({ sgxtcbcomponents: components, pcesvn: svn, tdxtcbcomponents: components }),
        ...levelFields,
      }),
    )
    .min(1)
    .max(200),
});

export type TcbInfo = z.infer<typeof schema>;
export type TcbLevel = TcbInfo['tcbLevels'][number];
export type ModuleIdentity = TcbInfo['tdxModuleIdentities'][number];
type Component = z.infer<typeof component>;

const kind = z.object({ id: z.string().max(40).default('SGX'), version: z.int() });

/** TCB info for something else than TDX, or of another version, is well formed and of no use. */
export type ReadTcbInfo = TcbInfo | { readonly otherKind: string };

/** Errors: EVIDENCE_MALFORMED. */
export function parseTcbInfo(text: string): ReadTcbInfo {
  const what = 'TCB info';
  const json = parseJson(text, what);
  const head = kind.safeParse(json);
  if (head.success && (head.data.id !== 'TDX' || head.data.version !== 3)) {
    return { otherKind: `${head.data.id} version ${head.data.version}` };
  }
  const read = schema.safeParse(json);
  if (!read.success) throw malformed(what, problemsOf(read.error).slice(0, 5).join('; '));
  return read.data;
}

/** SVNs of one platform: of its PCK certificate and of the report (TEE_TCB_SVN). */
export interface PlatformTcb {
  readonly pck: Pick<PckPlatform, 'components' | 'pceSvn'>;
  readonly teeTcbSvn: Buffer;
}

/** From the version of the TDX module on, its SVN is judged by its identity and not by the level. */
const firstTdxComponent = (teeTcbSvn: Buffer): number => (moduleVersion(teeTcbSvn) > 0 ? 2 : 0);

/** TEE_TCB_SVN[1]: 0 for TDX 1.0, which has no identities of its own. */
export const moduleVersion = (teeTcbSvn: Buffer): number => teeTcbSvn[1] ?? 0;
export const moduleSvn = (teeTcbSvn: Buffer): number => teeTcbSvn[0] ?? 0;

/** The first level that the platform reaches in every part; undefined when it reaches none. */
export const reachedLevel = (info: TcbInfo, platform: PlatformTcb): TcbLevel | undefined =>
  info.tcbLevels.find((level) => shortfalls(level, platform).length === 0);

/** Each part in which the platform is below `level`, in words with the remedy. */
export function shortfalls({ tcb }: TcbLevel, { pck, teeTcbSvn }: PlatformTcb): string[] {
  const { components: sgx, pceSvn } = pck;
  return [
    ...tcb.sgxtcbcomponents.flatMap((needed, index) => short('SGX', index, sgx[index], needed)),
    ...(pceSvn < tcb.pcesvn
      ? [`PCE SVN is ${pceSvn}, needs ${tcb.pcesvn}: update the SGX packages of the host`]
      : []),
    ...tcb.tdxtcbcomponents.flatMap((needed, index) =>
      index < firstTdxComponent(teeTcbSvn) ? [] : short('TDX', index, teeTcbSvn[index], needed),
    ),
  ];
}

function short(tee: string, index: number, is = 0, needed: Component): string[] {
  if (is >= needed.svn) return [];
  const { type, category } = needed;
  const named = type === undefined ? '' : ` (${type})`;
  const remedy =
    category === 'BIOS'
      ? 'update the firmware of the host'
      : category === 'OS/VMM'
        ? 'update microcode, SEAM loader and TDX module on the host'
        : 'update the firmware';
  return [`${tee} component ${index + 1}${named} is ${is}, needs ${needed.svn}: ${remedy}`];
}

export type ModuleAnswer =
  /** `identity` is undefined for TDX 1.0, whose module the levels judge. */
  | { readonly known: true; readonly identity: ModuleIdentity | undefined }
  | { readonly known: false; readonly why: string };

/** Whether the TDX module is one that Intel signed, by its version (PCS API v4, tdxModuleIdentities). */
export function moduleOf(info: TcbInfo, report: TdReport): ModuleAnswer {
  const version = moduleVersion(report.teeTcbSvn);
  const id = `TDX_${version.toString(16).padStart(2, '0').toUpperCase()}`;
  const identity = info.tdxModuleIdentities.find((each) => each.id.toUpperCase() === id);
  if (version > 0 && identity === undefined) {
    return { known: false, why: `module ${id} is not among those of the TCB info` };
  }
  const { mrsigner, attributes, attributesMask } = identity ?? info.tdxModule;
  if (hex(report.mrSignerSeam) !== mrsigner) {
    return { known: false, why: `mr_signer_seam ${hex(report.mrSignerSeam)} is not ${mrsigner}` };
  }
  if (masked(report.seamAttributes, fromHex(attributesMask)) !== attributes) {
    const why = `seam_attributes ${hex(report.seamAttributes)} under mask ${attributesMask} are not ${attributes}`;
    return { known: false, why };
  }
  return { known: true, identity };
}

/** The first of the levels, newest first, that `isvSvn` reaches; undefined when it is below all. */
export const reachedSvn = <T extends { readonly tcb: { readonly isvsvn: number } }>(
  levels: readonly T[],
  isvSvn: number,
): T | undefined => levels.find(({ tcb }) => isvSvn >= tcb.isvsvn);
