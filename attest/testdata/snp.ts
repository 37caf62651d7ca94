// Makes SEV-SNP reports of any version with certificates of its own, for what real samples cannot show:
// versions 3 to 5, VLEK, Turin, and every way of being wrong. Nothing of the product imports it.
import type { X509Certificate } from 'node:crypto';
import { hex, sha256 } from '#agent/base/bytes.ts';
import type { SnpProduct } from '#attest/snp/product.ts';
import { SNP_REPORT_BYTES } from '#attest/snp/report.ts';
import type { Tcb } from '#attest/snp/tcb.ts';
import type { VekKind } from '#attest/snp/vek.ts';
import {
  ecdsaSignature,
  makeCertificate,
  makeKeys,
  type CertificateExtension,
  type MadeCertificate,
} from './certificate.ts';
import { derIa5, derInteger } from './derWrite.ts';

export interface SnpSpec {
  readonly version?: number;
  readonly product?: SnpProduct;
  readonly kind?: VekKind;
  readonly tcb?: Required<Tcb>;
  /** Changes the report before it is signed. */
  readonly patch?: (report: Buffer) => void;
  /** What the VEK certificate says instead of the truth. */
  readonly certified?: {
    readonly tcb?: Required<Tcb>;
    readonly chipId?: Buffer;
    readonly productName?: string;
    readonly without?: readonly string[];
    readonly validToMs?: number;
  };
}

export interface MadeSnp {
  readonly report: Buffer;
  readonly vek: MadeCertificate;
  readonly ask: MadeCertificate;
  readonly ark: MadeCertificate;
  /** VEK, ASK, ARK. */
  readonly certificates: readonly X509Certificate[];
  /** SHA-256 of the root, for the policy. */
  readonly root: string;
}

export const MADE_TCB: Required<Tcb> = { fmc: 1, boot_loader: 4, tee: 2, snp: 22, microcode: 213 };
export const MADE_CHIP = Buffer.from(Array.from({ length: 64 }, (_, index) => index + 1));
const CPU: Readonly<Record<SnpProduct, readonly number[]>> = {
  Milan: [0x19, 0x01, 1],
  Genoa: [0x19, 0x11, 1],
  Turin: [0x1a, 0x02, 1],
};

/** A good report: signed by a key that its own root certifies for its chip and TCB. */
export function makeSnpReport(spec: SnpSpec = {}): MadeSnp {
  const { product = 'Milan', kind = 'VCEK', certified = {} } = spec;
  const { ark, ask } = authoritiesOf(product, kind);
  const vek = makeCertificate({
    subject: name(`SEV-${kind}`),
    keys: VEK_KEYS,
    issuer: ask,
    extensions: vekExtensions(spec),
    ...(certified.validToMs !== undefined && { validToMs: certified.validToMs }),
  });
  const report = unsignedReport(spec);
  spec.patch?.(report);
  signSnpReport(report);
  return {
    report,
    vek,
    ask,
    ark,
    certificates: [vek.x509, ask.x509, ark.x509],
    root: hex(sha256(ark.der)),
  };
}

/** Signs the report in place with the key of every VEK made here. */
export function signSnpReport(report: Buffer): void {
  const scalars = ecdsaSignature(report.subarray(0, 0x2a0), VEK_KEYS.privateKey);
  scalars.subarray(0, 48).reverse().copy(report, 0x2a0);
  scalars
    .subarray(48)
    .reverse()
    .copy(report, 0x2a0 + 72);
}

/** The 8 bytes of a TCB_VERSION. */
export const tcbBytes = (tcb: Required<Tcb>, product: SnpProduct): Buffer =>
  Buffer.from(
    product === 'Turin'
      ? [tcb.fmc, tcb.boot_loader, tcb.tee, tcb.snp, 0, 0, 0, tcb.microcode].map(Number)
      : [tcb.boot_loader, tcb.tee, 0, 0, 0, 0, tcb.snp, tcb.microcode].map(Number),
  );

/** The GUID table of an extended report (GHCB) with these certificates, by GUID in hex. */
export function certificateTable(
  entries: readonly (readonly [guid: string, der: Buffer])[],
): Buffer {
  let offset = (entries.length + 1) * 24;
  const header = entries.map(([guid, der]) => {
    const entry = Buffer.alloc(24);
    entry.write(guid, 'hex');
    entry.writeUInt32LE(offset, 16);
    entry.writeUInt32LE(der.length, 20);
    offset += der.length;
    return entry;
  });
  return Buffer.concat([...header, Buffer.alloc(24), ...entries.map(([, der]) => der)]);
}

const VEK_KEYS = makeKeys('P-384');

/** Keys are slow to make: one root and one intermediate for each product and kind, kept. */
const made = new Map<string, { readonly ark: MadeCertificate; readonly ask: MadeCertificate }>();

const name = (CN: string) => ({ O: 'Advanced Micro Devices', CN });

function authoritiesOf(product: SnpProduct, kind: VekKind) {
  const key = `${kind} ${product}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const ark = makeCertificate({ subject: name(`ARK-${product}`), keys: makeKeys('RSA'), ca: true });
  const ask = makeCertificate({
    subject: name(kind === 'VLEK' ? `SEV-VLEK-${product}` : `SEV-${product}`),
    keys: makeKeys('RSA'),
    issuer: ark,
    ca: true,
  });
  made.set(key, { ark, ask });
  return { ark, ask };
}

const id = (arcs: string): string => `1.3.6.1.4.1.3704.1.${arcs}`;

function vekExtensions({
  product = 'Milan',
  kind = 'VCEK',
  ...spec
}: SnpSpec): CertificateExtension[] {
  const { certified = {} } = spec;
  const { fmc, boot_loader, tee, snp, microcode } = certified.tcb ?? spec.tcb ?? MADE_TCB;
  const chipId = certified.chipId ?? MADE_CHIP;
  const levels: Readonly<Record<string, number | undefined>> = {
    1: boot_loader,
    2: tee,
    3: snp,
    ...(product === 'Turin' ? { 9: fmc } : { 4: 0 }),
    5: 0,
    6: 0,
    7: 0,
    8: microcode,
  };
  const all = [
    { id: id('1'), value: derInteger(product === 'Turin' ? 1 : 0) },
    {
      id: id('2'),
      value: derIa5(certified.productName ?? (kind === 'VLEK' ? product : `${product}-B1`)),
    },
    ...Object.entries(levels).map(([arc, level]) => ({
      id: id(`3.${arc}`),
      value: derInteger(level ?? 0),
    })),
    kind === 'VLEK'
      ? { id: id('5'), value: derIa5('example.cloud') }
      : { id: id('4'), value: product === 'Turin' ? chipId.subarray(0, 8) : chipId },
  ];
  return all.filter(({ id: each }) => certified.without?.includes(each) !== true);
}

function unsignedReport(spec: SnpSpec): Buffer {
  const { version = 3, product = 'Milan', kind = 'VCEK', tcb = MADE_TCB } = spec;
  const report = Buffer.alloc(SNP_REPORT_BYTES);
  report.writeUInt32LE(version, 0x00);
  report.writeUInt32LE(7, 0x04); // GUEST_SVN
  report.writeBigUInt64LE(0x3001fn, 0x08); // SMT, reserved one, ABI 0.31
  report.fill(0x11, 0x10, 0x20); // FAMILY_ID
  report.fill(0x22, 0x20, 0x30); // IMAGE_ID
  report.writeUInt32LE(1, 0x34); // ECDSA P-384 with SHA-384
  report.writeBigUInt64LE(0x25n, 0x40); // SMT, ECC, alias check
  report.writeUInt32LE(kind === 'VLEK' ? 1 << 2 : 0, 0x48);
  report.fill(0x33, 0x50, 0x90); // REPORT_DATA
  report.fill(0x44, 0x90, 0xc0); // MEASUREMENT
  report.fill(0x55, 0xc0, 0xe0); // HOST_DATA
  report.fill(0xff, 0x160, 0x180); // REPORT_ID_MA of a guest without a migration agent
  const raw = tcbBytes(tcb, product);
  for (const offset of [0x38, 0x180, 0x1e0, 0x1f0]) raw.copy(report, offset);
  if (version >= 3) report.set(CPU[product], 0x188);
  if (kind === 'VCEK') MADE_CHIP.copy(report, 0x1a0, 0, product === 'Turin' ? 8 : 64);
  for (const offset of [0x1e8, 0x1ec]) report.set([21, 55, 1], offset); // build, minor, major
  if (version >= 5) report.writeBigUInt64LE(0x3n, 0x1f8);
  if (version >= 5) report.writeBigUInt64LE(0x7n, 0x200);
  return report;
}
