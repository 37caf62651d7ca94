// Makes TDX quotes and their collateral under a root of its own, for what real samples cannot show: debug,
// other roots, revoked keys, levels that are not reached. Nothing of the product imports it.
import { sign, type KeyObject } from 'node:crypto';
import { concat, hex, sha256, type Bytes } from '#agent/base/bytes.ts';
import { INTEL, keyDigest, type TdxAnchors } from '#attest/tdx/anchors.ts';
import {
  makeCertificate,
  makeKeys,
  makeRevocationList,
  type KeyPair,
  type MadeCertificate,
} from './certificate.ts';
import { der, derInteger, derOctets, derOid, derSequence } from './derWrite.ts';

const ROOT = { subject: { CN: 'Intel SGX Root CA' }, keys: makeKeys('P-256'), ca: true };
export const tdxRoot = makeCertificate(ROOT);
const PCK_CA = { subject: { CN: 'Intel SGX PCK Platform CA' }, keys: makeKeys('P-256'), ca: true };
export const pckCa = makeCertificate({ ...PCK_CA, issuer: tdxRoot, serial: 20 });
const TCB_SIGNING = { subject: { CN: 'Intel SGX TCB Signing' }, keys: makeKeys('P-256') };
export const tcbSigning = makeCertificate({ ...TCB_SIGNING, issuer: tdxRoot, serial: 30 });

/** The test root in place of Intel's. */
export const anchors: TdxAnchors = { ...INTEL, rootKey: keyDigest(tdxRoot.x509) ?? '' };

/** When everything made here counts; collateral for 30 days from the day before on. */
export const MADE_MS = Date.UTC(2026, 0, 31, 12);
const DAY_MS = 86_400_000;
/** The last moment at which that collateral counts. */
export const LAST_MS = MADE_MS + 29 * DAY_MS;

export const PCK_SERIAL = 40;
export const FMSPC = 'a0b06f000000';
const SGX = '1.2.840.113741.1.13.1';

export interface PckSpec {
  readonly fmspc?: string;
  readonly components?: readonly number[];
  readonly pceSvn?: number;
  readonly keys?: KeyPair;
  readonly issuer?: MadeCertificate;
  readonly validToMs?: number;
}

const PCK_KEYS = makeKeys('P-256');

/** A PCK certificate with its SGX extension (PCK Certificate and CRL Profile 1.3.5). */
export function pck(spec: PckSpec = {}): MadeCertificate {
  const { fmspc = FMSPC, components = fill(3), pceSvn = 11, issuer = pckCa, validToMs } = spec;
  const field = (id: string, value: Bytes): Buffer => derSequence(derOid(`${SGX}.${id}`), value);
  const svns = [...components, pceSvn].map((svn, index) =>
    field(`2.${index + 1}`, derInteger(svn)),
  );
  const value = derSequence(
    field('1', derOctets(Buffer.alloc(16, 0xab))),
    field('2', derSequence(...svns, field('2.18', derOctets(Uint8Array.from(components))))),
    field('3', derOctets(Buffer.alloc(2))),
    field('4', derOctets(Buffer.from(fmspc, 'hex'))),
    field('5', der(0x0a, Uint8Array.of(1))),
  );
  return makeCertificate({
    subject: { CN: 'Intel SGX PCK Certificate' },
    keys: spec.keys ?? PCK_KEYS,
    issuer,
    serial: PCK_SERIAL,
    extensions: [{ id: SGX, value }],
    ...(validToMs === undefined ? {} : { validToMs }),
  });
}

const fill = (svn: number): number[] => Array.from({ length: 16 }, () => svn);

/** Fields of a report; bytes that are left out are of a good domain. */
export interface ReportSpec {
  readonly teeTcbSvn?: Bytes;
  readonly mrSignerSeam?: Bytes;
  readonly seamAttributes?: Bytes;
  readonly tdAttributes?: Bytes;
  readonly mrTd?: Bytes;
  readonly mrConfigId?: Bytes;
  readonly rtmr3?: Bytes;
  readonly reportData?: Bytes;
  readonly teeTcbSvn2?: Bytes;
}

export interface QuoteSpec extends ReportSpec {
  readonly version?: number;
  readonly teeType?: number;
  readonly attKeyType?: number;
  /** In version 5; 3 unless told. */
  readonly bodyType?: 2 | 3 | 4;
  readonly pck?: MadeCertificate;
  /** PEM that stands in the quote; the PCK, its CA and the root unless told. */
  readonly chain?: string;
  readonly certificationType?: number;
  readonly enclave?: EnclaveSpec;
}

export interface EnclaveSpec {
  readonly mrSigner?: Bytes;
  readonly isvSvn?: number;
  readonly isvProdId?: number;
  readonly attributes?: Bytes;
  readonly reportData?: Bytes;
}

const ATTESTATION_KEYS = makeKeys('P-256');
const AUTH_DATA = Buffer.from('auth data of the quoting enclave');
export const SEPT_VE_DISABLE = Buffer.from('0000001000000000', 'hex');
export const MR_TD = Buffer.alloc(48, 0x71);
export const REPORT_DATA = Buffer.alloc(64, 0x5c);

/** A signed quote, version 4 unless told. */
export function tdxQuote(spec: QuoteSpec = {}): Buffer {
  const { version = 4, teeType = 0x81, attKeyType = 2, certificationType = 5 } = spec;
  const leaf = spec.pck ?? pck();
  const header = concat(u16le(version), u16le(attKeyType), u32le(teeType), Buffer.alloc(40, 0x44));
  const signed = concat(header, version === 5 ? body5(spec) : td10(spec));
  const key = rawPoint(ATTESTATION_KEYS.publicKey);
  const report = enclaveReport(key, spec.enclave);
  const chain = Buffer.from(spec.chain ?? `${leaf.pem}${pckCa.pem}${tdxRoot.pem}`);
  const certification = concat(
    report,
    rawSignature(leaf.keys.privateKey, report),
    u16le(AUTH_DATA.length),
    AUTH_DATA,
    u16le(certificationType),
    sized(chain),
  );
  const signature = rawSignature(ATTESTATION_KEYS.privateKey, signed);
  return concat(signed, sized(concat(signature, key, u16le(6), sized(certification))));
}

function td10(spec: ReportSpec): Buffer {
  return concat(
    spec.teeTcbSvn ?? Uint8Array.from([5, 1, ...fill(4).slice(2)]),
    Buffer.alloc(48, 0x5e),
    spec.mrSignerSeam ?? Buffer.alloc(48),
    spec.seamAttributes ?? Buffer.alloc(8),
    spec.tdAttributes ?? SEPT_VE_DISABLE,
    Buffer.from('e700060000000000', 'hex'),
    spec.mrTd ?? MR_TD,
    spec.mrConfigId ?? Buffer.alloc(48),
    Buffer.alloc(96),
    Buffer.alloc(48, 0xa0),
    Buffer.alloc(48, 0xa1),
    Buffer.alloc(48, 0xa2),
    spec.rtmr3 ?? Buffer.alloc(48),
    spec.reportData ?? REPORT_DATA,
  );
}

function body5(spec: QuoteSpec): Buffer {
  const { bodyType = 3, teeTcbSvn2 = Uint8Array.from([5, 1, ...fill(4).slice(2)]) } = spec;
  const later = bodyType === 2 ? Buffer.alloc(0) : concat(teeTcbSvn2, Buffer.alloc(48));
  const more = Buffer.alloc(bodyType === 4 ? 237 : 0, 0x4e);
  return concat(u16le(bodyType), sized(concat(td10(spec), later, more)));
}

function enclaveReport(key: Bytes, spec: EnclaveSpec = {}): Buffer {
  return concat(
    Buffer.alloc(48),
    spec.attributes ?? Buffer.from('1500000000000000e700000000000000', 'hex'),
    Buffer.alloc(32, 0xe1),
    Buffer.alloc(32),
    spec.mrSigner ?? Buffer.from(INTEL.enclaveSigner, 'hex'),
    Buffer.alloc(96),
    u16le(spec.isvProdId ?? 2),
    u16le(spec.isvSvn ?? 7),
    Buffer.alloc(60),
    spec.reportData ?? concat(sha256(key, AUTH_DATA), Buffer.alloc(32)),
  );
}

/** Members of TCB info that take the place of those of a good one. */
export type JsonChange = Readonly<Record<string, unknown>>;

const NO_SIGNER = {
  mrsigner: '0'.repeat(96),
  attributes: '0'.repeat(16),
  attributesMask: 'F'.repeat(16),
};

/** A level that asks for SVN `sgx`, `tdx` in every component. */
export const tcbLevel = (
  sgx: number,
  tdx: number,
  tcbStatus: string,
  more: JsonChange = {},
): object => ({
  tcb: {
    sgxtcbcomponents: fill(sgx).map((svn) => ({
      svn,
      category: 'BIOS',
      type: 'Early Microcode Update',
    })),
    pcesvn: 11,
    tdxtcbcomponents: fill(tdx).map((svn, index) => ({ svn: index === 1 ? 1 : svn })),
  },
  tcbDate: '2026-01-01T00:00:00Z',
  tcbStatus,
  ...more,
});

export const svnLevel = (isvsvn: number, tcbStatus: string, more: JsonChange = {}): object => ({
  tcb: { isvsvn },
  tcbDate: '2026-01-01T00:00:00Z',
  tcbStatus,
  ...more,
});

const dates = {
  issueDate: new Date(MADE_MS - DAY_MS).toISOString(),
  nextUpdate: new Date(LAST_MS).toISOString(),
};

export const moduleIdentity = (id: string, tcbLevels: readonly object[]): object => ({
  id,
  ...NO_SIGNER,
  tcbLevels,
});

/** The text of TCB info; the platform of `tdxQuote` reaches its newest level. */
export const tcbInfo = (change: JsonChange = {}): string =>
  JSON.stringify({
    id: 'TDX',
    version: 3,
    ...dates,
    fmspc: FMSPC,
    pceId: '0000',
    tcbType: 0,
    tcbEvaluationDataNumber: 18,
    tdxModule: NO_SIGNER,
    tdxModuleIdentities: [moduleIdentity('TDX_01', [svnLevel(5, 'UpToDate')])],
    tcbLevels: [tcbLevel(3, 4, 'UpToDate')],
    ...change,
  });

/** The text of a QE identity, which the enclave of `tdxQuote` is. */
export const qeIdentity = (change: JsonChange = {}): string =>
  JSON.stringify({
    id: 'TD_QE',
    version: 2,
    ...dates,
    tcbEvaluationDataNumber: 18,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: '11000000000000000000000000000000',
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    mrsigner: INTEL.enclaveSigner.toUpperCase(),
    isvprodid: 2,
    tcbLevels: [svnLevel(7, 'UpToDate')],
    ...change,
  });

export interface CollateralSpec {
  readonly tcbInfo?: string;
  readonly qeIdentity?: string;
  readonly signer?: MadeCertificate;
  /** Serial numbers. */
  readonly revokedByRoot?: readonly number[];
  readonly revokedByCa?: readonly number[];
}

const list = (issuer: MadeCertificate, revoked: readonly number[]): Buffer =>
  makeRevocationList({
    issuer,
    revoked,
    thisUpdateMs: Date.parse(dates.issueDate),
    nextUpdateMs: Date.parse(dates.nextUpdate),
  });

/** The members of quote_collateral_v3. */
export function collateralMembers(spec: CollateralSpec = {}): Record<string, string> {
  const { signer = tcbSigning } = spec;
  const info = spec.tcbInfo ?? tcbInfo();
  const identity = spec.qeIdentity ?? qeIdentity();
  return {
    pck_crl_issuer_chain: pckCa.pem + tdxRoot.pem,
    root_ca_crl: hex(list(tdxRoot, spec.revokedByRoot ?? [])),
    pck_crl: hex(list(pckCa, spec.revokedByCa ?? [])),
    tcb_info_issuer_chain: signer.pem + tdxRoot.pem,
    tcb_info: info,
    tcb_info_signature: signedBy(signer, info),
    qe_identity_issuer_chain: signer.pem + tdxRoot.pem,
    qe_identity: identity,
    qe_identity_signature: signedBy(signer, identity),
  };
}

/** Hex of r || s over the text. */
export const signedBy = (signer: MadeCertificate, text: string): string =>
  hex(rawSignature(signer.keys.privateKey, Buffer.from(text)));

/** A collateral file as quote_collateral_v3 in JSON. */
export const tdxCollateral = (spec: CollateralSpec = {}): Buffer =>
  Buffer.from(JSON.stringify(collateralMembers(spec)));

const rawSignature = (key: KeyObject, message: Bytes): Buffer =>
  sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' });

function rawPoint(key: KeyObject): Buffer {
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  return concat(Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url'));
}

const u16le = (n: number): Uint8Array => Uint8Array.of(n & 0xff, n >> 8);

function u32le(n: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n);
  return bytes;
}

const sized = (bytes: Bytes): Buffer => concat(u32le(bytes.length), bytes);
