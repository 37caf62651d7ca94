import { describe, expect, it } from 'vitest';
import { verdictOf } from '#attest/check.ts';
import { flipped } from '#attest/testdata/hostile.ts';
import { noVectors, truths, vector } from '#attest/testdata/vectors.ts';
import { readCertificates } from './certificates.ts';
import { NO_SNP_POLICY, type SnpPolicy } from './policy.ts';
import { AMD_ROOTS } from './product.ts';
import { SNP_REPORT_BYTES } from './report.ts';
import { verifySnpReport } from './verify.ts';

/** What TRUTH.json says of a report. */
interface SnpTruth {
  readonly report: {
    readonly version: number;
    readonly guest_svn: number;
    readonly policy_flags: Readonly<Record<string, number>>;
    readonly current_tcb: TruthTcb;
    readonly reported_tcb: TruthTcb;
    readonly committed_tcb: TruthTcb;
    readonly launch_tcb: TruthTcb;
    readonly current_version: string;
  } & Readonly<Record<(typeof PLAIN)[number], unknown>>;
  readonly sig_valid: boolean;
  readonly vek_ext: { readonly product: string };
}

interface TruthTcb {
  readonly bl: number;
  readonly tee: number;
  readonly snp: number;
  readonly ucode: number;
}

/** Claims that stand in TRUTH.json as they are. */
const PLAIN = [
  'version',
  'guest_svn',
  'family_id',
  'image_id',
  'vmpl',
  'signature_algo',
  'signing_key',
  'report_data',
  'measurement',
  'host_data',
  'id_key_digest',
  'author_key_digest',
  'report_id',
  'chip_id',
  'current_version',
] as const;

const tcb = ({ bl, tee, snp, ucode }: TruthTcb) => ({
  boot_loader: bl,
  tee,
  snp,
  microcode: ucode,
});

/** Before the report in what the HCL writes. */
const HCL_HEADER_BYTES = 32;
const AT = Date.UTC(2026, 10, 1);
const chain = () => readCertificates(vector('snp/ark_ask_milan_chain.pem'), 'chain');
const vekOf = (path: string) =>
  readCertificates(vector(path.replace('.report.bin', '.vek.der')), 'VEK');

function judge(report: Buffer, path: string, policy: Partial<SnpPolicy> = {}) {
  const appraisal = verifySnpReport({
    report,
    certificates: [...vekOf(path), ...chain()],
    policy: { ...NO_SNP_POLICY, ...policy },
    atMs: AT,
  });
  const failed = appraisal.checks.filter(({ result }) => result === 'fail').map(({ name }) => name);
  return { ...appraisal, failed, verdict: verdictOf(appraisal.checks) };
}

describe.skipIf(noVectors)(`verifySnpReport() on real reports ${noVectors ?? ''}`, () => {
  it.each(truths<SnpTruth>('snp', '.report.bin'))('reads %s as TRUTH.json does', (path, truth) => {
    const { claims, failed, verdict } = judge(vector(path), path);
    const { report, vek_ext: vek } = truth;
    const plain = Object.fromEntries(PLAIN.map((name) => [name, report[name]]));
    expect(claims).toMatchObject(plain);
    for (const name of ['current_tcb', 'reported_tcb', 'committed_tcb', 'launch_tcb'] as const) {
      expect(claims[name]).toEqual(tcb(report[name]));
    }
    const { reserved1, ...flags } = report.policy_flags;
    expect(reserved1).toBe(1);
    expect(claims['policy']).toMatchObject(
      Object.fromEntries(
        Object.entries(flags).map(([name, value]) => [
          name,
          name.startsWith('abi') ? value : value === 1,
        ]),
      ),
    );
    expect(claims['product']).toBe(vek.product);
    const debug = report.policy_flags['debug'] === 1;
    expect(failed).toEqual(debug ? ['debug'] : []);
    expect(verdict).toBe(debug ? 'contraindicated' : 'warning');
    expect(truth.sig_valid).toBe(true);
  });

  it.each<[string, string, number, number, readonly string[]]>([
    ['virtee: byte 21 ^= 0x80', 'snp/virtee-milan.report.bin', 21, 0x95, ['signature']],
    ['trustee: byte 42 += 1', 'snp/coco-milan.report.bin', 42, 1, ['signature']],
    ['trustee: byte 384 += 1', 'snp/coco-milan.report.bin', 384, 1, ['certified TCB', 'signature']],
  ])('refuses the negative of %s', (name, path, index, change, failing) => {
    const report = Buffer.from(vector(path));
    const before = report.readUInt8(index);
    report.writeUInt8(name.includes('^=') ? before ^ 0x80 : before + change, index);
    const { failed, claims } = judge(report, path);
    expect(failed).toEqual(expect.arrayContaining([...failing]));
    expect(claims).toEqual({});
  });

  it('reads the report inside the HCL report of an Azure machine, with the chain after its VCEK', () => {
    const hcl = vector('tpm-quote/azure-snp/hcl-report.bin');
    const { claims, checks } = verifySnpReport({
      report: hcl.subarray(HCL_HEADER_BYTES, HCL_HEADER_BYTES + SNP_REPORT_BYTES),
      certificates: readCertificates(vector('tpm-quote/azure-snp/vcek.pem'), 'VEK'),
      atMs: AT,
    });
    const [[, truth] = []] = truths<{ snp: SnpTruth }>('tpm-quote/azure-snp');
    expect(claims).toMatchObject({
      report_data: truth?.snp.report.report_data,
      measurement: truth?.snp.report.measurement,
      chip_id: truth?.snp.report.chip_id,
    });
    expect(verdictOf(checks)).toBe('warning');
  });

  it('is affirming when the policy names what the report holds', () => {
    const path = 'snp/virtee-milan.report.bin';
    const { claims } = judge(vector(path), path);
    const { measurement, report_data } = claims as Record<string, string>;
    const { verdict } = judge(vector(path), path, {
      measurement: [measurement ?? ''],
      report_data: [report_data ?? ''],
      min_tcb: { snp: 8, microcode: 115 },
    });
    expect(verdict).toBe('affirming');
  });

  it('refuses the certificate of another chip', () => {
    const { failed, claims } = judge(
      vector('snp/coco-milan.report.bin'),
      'snp/virtee-milan.report.bin',
    );
    expect(failed).toEqual(['signature', 'chip']);
    expect(claims).toEqual({});
  });

  it('refuses a certificate that was altered', () => {
    const path = 'snp/virtee-milan.report.bin';
    const der = flipped(vekOf(path)[0]?.raw ?? Buffer.alloc(0), 1300);
    const { checks } = verifySnpReport({
      report: vector(path),
      certificates: [...readCertificates(der, 'VEK'), ...chain()],
      atMs: AT,
    });
    expect(checks).toContainEqual(
      expect.objectContaining({ name: 'certificate chain', result: 'fail' }),
    );
  });

  it.each(Object.entries(AMD_ROOTS))('AMD_ROOTS has %s, the root of %s', (digest, product) => {
    const [root] = readCertificates(vector(`snp/certs/${product.toLowerCase()}_ark.der`), 'root');
    expect(root?.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(digest);
    expect(root?.subject).toContain(`CN=ARK-${product}`);
  });

  it.each(['milan', 'genoa', 'turin'])(
    'the chain in single files of %s holds together',
    (product) => {
      const der = ['ask', 'asvk', 'ark'].map((name) => vector(`snp/certs/${product}_${name}.der`));
      const [ask, asvk, ark] = readCertificates(Buffer.concat(der), 'chain');
      expect(ark && ask?.checkIssued(ark)).toBe(true);
      expect(ark && asvk?.checkIssued(ark)).toBe(true);
    },
  );
});
