import { describe, expect, it } from 'vitest';
import { hex } from '#agent/base/bytes.ts';
import {
  certificateTable,
  MADE_CHIP,
  MADE_TCB,
  makeSnpReport,
  tcbBytes,
  type SnpSpec,
} from '#attest/testdata/snp.ts';
import { judgeSnp, SNP_WHEN } from '#attest/testdata/snpJudge.ts';
import type { SnpPolicy } from './policy.ts';

const DEBUG = 1n << 19n;
const MIGRATE_MA = 1n << 18n;

const judgeMade = (spec: SnpSpec, policy?: Partial<SnpPolicy>) =>
  judgeSnp(makeSnpReport(spec), policy);

/** Sets a bit of the guest policy. */
const launchedWith =
  (bits: bigint) =>
  (report: Buffer): void =>
    void report.writeBigUInt64LE(report.readBigUInt64LE(8) | bits, 8);

/** Writes a TCB of a Milan report at each offset. */
const tcbAt =
  (tcb: Partial<typeof MADE_TCB>, ...offsets: readonly number[]) =>
  (report: Buffer): void => {
    for (const offset of offsets) tcbBytes({ ...MADE_TCB, ...tcb }, 'Milan').copy(report, offset);
  };
const [CURRENT, COMMITTED] = [0x38, 0x1e0];

const FULL_POLICY: Partial<SnpPolicy> = {
  measurement: ['44'.repeat(48)],
  report_data: ['33'.repeat(64)],
  min_tcb: { boot_loader: 4, tee: 2, snp: 22, microcode: 213 },
};

describe('verifySnpReport() on reports of its own making', () => {
  it.each([2, 3, 4, 5])('accepts version %i', (version) => {
    const { failed, verdict, claims } = judgeMade({ version });
    expect(failed).toEqual([]);
    expect(verdict).toBe('warning');
    expect(claims).toMatchObject({ version, signing_key: 'VCEK', chip_id: hex(MADE_CHIP) });
    expect('cpuid_fam_id' in claims).toBe(version >= 3);
    expect('launch_mit_vector' in claims).toBe(version >= 5);
  });

  it('is affirming when the policy names what was measured, challenged and patched', () => {
    expect(judgeMade({}, FULL_POLICY)).toMatchObject({ failed: [], verdict: 'affirming' });
  });

  it.each(['measurement', 'report_data', 'min_tcb'] as const)(
    'never takes a missing %s for a pass',
    (key) => {
      const { checks, verdict } = judgeMade({}, { ...FULL_POLICY, [key]: undefined });
      expect(verdict).toBe('warning');
      const name = key === 'min_tcb' ? 'TCB floor' : key.replace('_', ' ');
      expect(checks).toContainEqual(expect.objectContaining({ name, result: 'not checked' }));
    },
  );

  it('reads the TCB and the chip id of Turin as Turin lays them out', () => {
    const { failed, claims, text } = judgeMade({ version: 5, product: 'Turin' });
    expect(failed).toEqual([]);
    expect(claims['reported_tcb']).toEqual(MADE_TCB);
    expect(claims['cpuid_fam_id']).toBe(0x1a);
    expect(text('chip')).toContain(hex(MADE_CHIP.subarray(0, 8)));
  });

  it('accepts a VLEK, which belongs to a provider and to no chip', () => {
    const { failed, claims, checks } = judgeMade({ kind: 'VLEK', product: 'Genoa' });
    expect(failed).toEqual([]);
    expect(claims).toMatchObject({ signing_key: 'VLEK', csp_id: 'example.cloud' });
    expect(checks).toContainEqual(expect.objectContaining({ name: 'chip', result: 'not checked' }));
  });

  it('claims exactly what is named in the specification', () => {
    expect(judgeMade({ version: 5 }).claims).toEqual({
      version: 5,
      guest_svn: 7,
      policy: {
        abi_major: 0,
        abi_minor: 31,
        smt: true,
        migrate_ma: false,
        debug: false,
        single_socket: false,
        cxl_allow: false,
        mem_aes_256_xts: false,
        rapl_dis: false,
        ciphertext_hiding: false,
        page_swap_disable: false,
      },
      family_id: '11'.repeat(16),
      image_id: '22'.repeat(16),
      vmpl: 0,
      signature_algo: 1,
      current_tcb: { boot_loader: 4, tee: 2, snp: 22, microcode: 213 },
      platform_info: {
        smt_en: true,
        tsme_en: false,
        ecc_en: true,
        rapl_dis: false,
        ciphertext_hiding_en: false,
        alias_check_complete: true,
        tio_en: false,
      },
      author_key_en: false,
      mask_chip_key: false,
      signing_key: 'VCEK',
      report_data: '33'.repeat(64),
      measurement: '44'.repeat(48),
      host_data: '55'.repeat(32),
      id_key_digest: '00'.repeat(48),
      author_key_digest: '00'.repeat(48),
      report_id: '00'.repeat(32),
      report_id_ma: 'ff'.repeat(32),
      reported_tcb: { boot_loader: 4, tee: 2, snp: 22, microcode: 213 },
      cpuid_fam_id: 0x19,
      cpuid_mod_id: 1,
      cpuid_step: 1,
      chip_id: hex(MADE_CHIP),
      committed_tcb: { boot_loader: 4, tee: 2, snp: 22, microcode: 213 },
      current_build: 21,
      current_minor: 55,
      current_major: 1,
      current_version: '1.55.21',
      committed_build: 21,
      committed_minor: 55,
      committed_major: 1,
      committed_version: '1.55.21',
      launch_tcb: { boot_loader: 4, tee: 2, snp: 22, microcode: 213 },
      launch_mit_vector: '0x0000000000000003',
      current_mit_vector: '0x0000000000000007',
      product: 'Milan-B1',
    });
  });

  it('finds its certificates in the table of an extended report', () => {
    const made = makeSnpReport();
    const table = certificateTable([
      ['63da758de6644564adc5f4b93be8accd', made.vek.der],
      ['4ab7b379bbac4fe4a02f05aef327c782', made.ask.der],
      ['c0b406a4a803495297433fb6014cd0ae', made.ark.der],
    ]);
    const extended = { ...made, report: Buffer.concat([made.report, table]), certificates: [] };
    expect(judgeSnp(extended)).toMatchObject({ failed: [], verdict: 'warning' });
  });

  it('accepts a report whose chip id the host hides', () => {
    const { failed, text } = judgeMade({ patch: (report) => report.fill(0, 0x1a0, 0x1e0) });
    expect(failed).toEqual([]);
    expect(text('chip')).toContain('hides');
  });
});

describe('verifySnpReport() on what is wrong', () => {
  it.each<[string, SnpSpec, readonly string[]]>([
    ['a debug guest', { patch: launchedWith(DEBUG) }, ['debug']],
    ['a migration agent', { patch: launchedWith(MIGRATE_MA) }, ['migration agent']],
    ['reserved policy bits', { patch: launchedWith(1n << 40n) }, ['report format']],
    ['policy bit 17 of zero', { patch: (report) => report.writeUInt8(1, 10) }, ['report format']],
    ['a version that is not known', { version: 6 }, ['report format']],
    [
      'a certificate of another TCB',
      { certified: { tcb: { ...MADE_TCB, microcode: 9 } } },
      ['certified TCB'],
    ],
    ['a certificate of another chip', { certified: { chipId: Buffer.alloc(64, 9) } }, ['chip']],
    ['a key of another product', { certified: { productName: 'Genoa-B1' } }, ['product']],
    [
      'a processor of no known product',
      { patch: (report) => report.writeUInt8(0x17, 0x188) },
      ['product'],
    ],
    ['a product that is not known', { certified: { productName: 'Rome-B0' } }, ['endorsement key']],
    [
      'a certificate without a patch level',
      { certified: { without: ['1.3.6.1.4.1.3704.1.3.8'] } },
      ['endorsement key'],
    ],
    [
      'a certificate without a chip id',
      { certified: { without: ['1.3.6.1.4.1.3704.1.4'] } },
      ['endorsement key'],
    ],
    ['an expired certificate', { certified: { validToMs: SNP_WHEN - 1000 } }, ['validity']],
    [
      'a report that no key signed',
      { patch: (report) => report.writeUInt32LE(7 << 2, 0x48) },
      ['endorsement key'],
    ],
    [
      'a VLEK report with a VCEK',
      { patch: (report) => report.writeUInt32LE(1 << 2, 0x48) },
      ['endorsement key'],
    ],
    [
      'a current TCB below the reported',
      { patch: tcbAt({ snp: 21 }, CURRENT, COMMITTED) },
      ['TCB order'],
    ],
    ['a committed TCB above the current', { patch: tcbAt({ tee: 3 }, COMMITTED) }, ['TCB order']],
    [
      'reserved bytes in a TCB',
      { patch: (report) => report.writeUInt8(1, COMMITTED + 3) },
      ['TCB order'],
    ],
    [
      'committed firmware above what runs',
      { patch: (report) => report.writeUInt8(22, 0x1ec) },
      ['committed firmware'],
    ],
  ])('fails %s by its own check', (_, spec, failing) => {
    const { failed, verdict } = judgeMade(spec);
    expect(failed).toEqual(failing);
    expect(verdict).toBe('contraindicated');
  });

  it('lets the reported TCB be below the committed one, which hosts may choose', () => {
    const made = makeSnpReport({
      tcb: { ...MADE_TCB, microcode: 115 },
      patch: tcbAt({}, CURRENT, COMMITTED),
    });
    expect(judgeSnp(made).failed).toEqual([]);
  });

  it('fails firmware that can be rolled back only when the policy forbids it', () => {
    const spec = { patch: tcbAt({ microcode: 220 }, CURRENT) };
    expect(judgeMade(spec)).toMatchObject({ failed: [], verdict: 'warning' });
    const strict = judgeMade(spec, { allow_provisional_firmware: false });
    expect(strict.failed).toEqual(['committed firmware']);
  });

  it('says which component of a stale TCB is too low and what to do', () => {
    const { failed, text } = judgeMade({}, { min_tcb: { microcode: 214, snp: 22 } });
    expect(failed).toEqual(['TCB floor']);
    expect(text('TCB floor')).toBe(
      'The reported TCB is stale: microcode is 213, needs 214: update the microcode, with the BIOS or the host’s microcode package.',
    );
  });

  it.each<[string, Partial<SnpPolicy>]>([
    ['measurement', { measurement: ['00'.repeat(48)] }],
    ['report data', { report_data: ['00'.repeat(64)] }],
    ['host data', { host_data: ['00'.repeat(32)] }],
    ['family id', { family_id: ['00'.repeat(16)] }],
    ['image id', { image_id: ['00'.repeat(16)] }],
    ['id key digest', { id_key_digest: ['01'.repeat(48)] }],
    ['author key digest', { author_key_digest: ['01'.repeat(48)] }],
    ['chip id', { chip_id: ['00'.repeat(64)] }],
    ['allowed product', { products: ['Genoa', 'Turin'] }],
    ['VMPL', { max_vmpl: 0 }],
    ['guest policy', { min_guest_svn: 8 }],
    ['guest policy', { allow_smt: false }],
    ['guest policy', { require_single_socket: true }],
    ['guest policy', { require_ciphertext_hiding: true }],
    ['guest policy', { require_mem_aes_256_xts: true }],
    ['guest policy', { require_rapl_dis: true }],
    ['guest policy', { require_page_swap_disable: true }],
    ['platform', { require_alias_check: true }],
    ['launch TCB floor', { min_launch_tcb: { snp: 23 } }],
    ['firmware floor', { min_firmware: '1.55.22' }],
    ['mitigations', { required_mit_vector: '0x1' }],
  ])('fails %s when the policy asks %o', (name, policy) => {
    const made = makeSnpReport({
      patch: (report) => {
        report.writeUInt32LE(1, 0x30);
        report.writeBigUInt64LE(1n, 0x40);
      },
    });
    expect(judgeSnp(made).failed).toEqual([]);
    expect(judgeSnp(made, policy)).toMatchObject({ failed: [name], verdict: 'contraindicated' });
  });

  it.each<[string, Partial<SnpPolicy>]>([
    ['launch TCB floor', { min_launch_tcb: { snp: 22 } }],
    ['firmware floor', { min_firmware: '1.55.21' }],
    ['mitigations', { required_mit_vector: '0x3' }],
  ])('passes %s when the report reaches %o', (name, policy) => {
    const { checks } = judgeMade({ version: 5 }, policy);
    expect(checks).toContainEqual(expect.objectContaining({ name, result: 'pass' }));
  });

  it('names the mitigations that are missing at launch or now', () => {
    const { failed, text } = judgeMade({ version: 5 }, { required_mit_vector: '0xd' });
    expect(failed).toEqual(['mitigations']);
    expect(text('mitigations')).toContain('0xc');
  });

  it('takes a debug guest for a warning, and a migration agent, where the policy allows them', () => {
    const debug = judgeMade({ patch: launchedWith(DEBUG) }, { ...FULL_POLICY, allow_debug: true });
    expect(debug).toMatchObject({ failed: ['debug'], verdict: 'warning' });
    const migration = judgeMade(
      { patch: launchedWith(MIGRATE_MA) },
      { ...FULL_POLICY, allow_migrate_ma: true },
    );
    expect(migration).toMatchObject({ failed: [], verdict: 'affirming' });
  });

  it('warns of a report that the host asked for', () => {
    const { failed, verdict } = judgeMade({
      patch: (report) => report.writeUInt32LE(0xffff_ffff, 0x30),
    });
    expect([failed, verdict]).toEqual([['VMPL'], 'warning']);
  });

  it('refuses a report that the host asked for where the policy sets max_vmpl', () => {
    const hosted = { patch: (report: Buffer) => void report.writeUInt32LE(0xffff_ffff, 0x30) };
    for (const max_vmpl of [0, 3]) {
      const judged = judgeMade(hosted, { ...FULL_POLICY, max_vmpl });
      expect(judged).toMatchObject({ failed: ['VMPL'], verdict: 'contraindicated' });
    }
  });

  it('takes a component that the product lacks for one below its floor', () => {
    const floors = { min_tcb: { fmc: 200 }, min_launch_tcb: { fmc: 1 } };
    const { failed, text } = judgeMade({}, floors);
    expect(failed).toEqual(['TCB floor', 'launch TCB floor']);
    expect(text('TCB floor')).toContain('fmc is not there, needs 200');
    expect(judgeMade({ product: 'Turin' }, { min_tcb: { fmc: 1 } }).failed).toEqual([]);
  });

  it('warns of platform bits that no specification known here names', () => {
    const { failed, verdict } = judgeMade({ patch: (report) => report.writeUInt8(0x40, 0x40) });
    expect([failed, verdict]).toEqual([['platform'], 'warning']);
  });
});
