// SNP reports, TDX quotes, Nitro documents and attestation results: what our verbs say of a sample
// beside what is true of it.
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { EXIT } from '#agent/base/codes.ts';
import { hasVector } from '#attest/testdata/vectors.ts';
import { at, callEvidence, resultOf } from './call.ts';
import { differences, member, members, type Differences } from './differences.ts';
import { negativeDifferences } from './negatives.ts';
import type { Truth } from './truth.ts';

const SNP_AT = '2025-01-01';
const DAY_MS = 86_400_000;

/** Fields that TRUTH.json names as AMD does and writes as we do. */
const SNP_FIELDS = [
  'version',
  'guest_svn',
  'family_id',
  'image_id',
  'vmpl',
  'signature_algo',
  'report_data',
  'measurement',
  'host_data',
  'id_key_digest',
  'author_key_digest',
  'report_id',
  'chip_id',
  'signing_key',
];
const TCBS = ['current_tcb', 'reported_tcb', 'committed_tcb', 'launch_tcb'];

/** Genuine, and debug refused. */
export async function snpDifferences({ path, stated, computed }: Truth): Promise<Differences> {
  const vek = at(path.replace('.report.bin', '.vek.der'));
  const chain = at('snp/ark_ask_milan_chain.pem');
  const flags = ['--vek', vek, '--chain', chain, '--at', SNP_AT];
  const argv = ['snp', at(path), ...flags];
  const { exit, document } = await callEvidence(...argv);
  const negatives = [stated['negative'] ?? [], stated['negatives'] ?? []].flat().map(String);
  const report = members(computed['report']);
  const debug = member(report['policy_flags'], 'debug') === 1;
  const claims = members(document['claims']);
  return [
    ...differences({ exit }, { exit: debug ? EXIT.notVerified : EXIT.ok }),
    ...differences(claims, Object.fromEntries(SNP_FIELDS.map((name) => [name, report[name]]))),
    ...TCBS.flatMap((name) => differences(tcbOf(claims[name]), members(report[name]))),
    ...(await negativeDifferences(negatives, argv)),
  ];
}

const tcbOf = (tcb: unknown): Record<string, unknown> => ({
  bl: member(tcb, 'boot_loader'),
  tee: member(tcb, 'tee'),
  snp: member(tcb, 'snp'),
  ucode: member(tcb, 'microcode'),
});

/** Genuine by Intel, the TCB as the collateral has it; what is cut off is malformed. */
export async function tdxDifferences({ path, negative, computed }: Truth): Promise<Differences> {
  const tcb = members(computed['tcb']);
  const collateral = `${path}.collateral.json`;
  const flags = hasVector(collateral)
    ? ['--collateral', at(collateral), '--at', dayAfter(String(tcb['issueDate']))]
    : ['--at', SNP_AT, '--ccel', at('ccel/cos-113-intel-tdx.bin')];
  const { exit, document } = await callEvidence('tdx', at(path), ...flags);
  if (negative) return differences({ exit }, { exit: EXIT.malformed });
  const claims = members(document['claims']);
  const reached = tcb['level'] !== null;
  const [status] = (tcb['level'] ?? [null]) as readonly unknown[];
  return [
    ...differences({ exit }, { exit: reached ? EXIT.ok : EXIT.notVerified }),
    ...differences(claims, {
      version: computed['version'],
      ...members(computed['td']),
      fmspc: member(computed['pck'], 'fmspc'),
      ...(tcb['fmspc_match'] === true && { tcb_status: status }),
    }),
  ];
}

const dayAfter = (date: string): string =>
  new Date(Date.parse(date) + DAY_MS).toISOString().slice(0, 10);

/** Judged as of its own time; an enclave under debug is refused. */
export async function nitroDifferences({ path, computed }: Truth): Promise<Differences> {
  const timeMs = Number(computed['timestamp_ms']);
  const moment = new Date(timeMs + 1000).toISOString();
  const { exit, document } = await callEvidence('nitro', at(path), '--at', moment);
  const claims = members(document['claims']);
  return [
    ...differences(
      { exit },
      { exit: computed['debug_mode'] === true ? EXIT.notVerified : EXIT.ok },
    ),
    ...differences(claims, {
      module_id: computed['module_id'],
      digest: computed['digest'],
      timestamp: timeMs,
      user_data: computed['user_data'],
      nonce: computed['nonce'],
    }),
    ...differences(members(claims['pcrs']), members(computed['pcrs'])),
  ];
}

/** A claims set or a manifest that nobody signed is read and never believed. */
export async function resultDifferences({ path, stated }: Truth): Promise<Differences> {
  const unsigned = { exit: EXIT.notVerified, verdict: stated['status'] ?? 'none', claims: {} };
  if (path.endsWith('.cbor')) {
    const { exit, document } = await callEvidence('corim', at(path));
    const form = resultOf(document, 'manifest form');
    return differences({ ...document, exit, form }, { ...unsigned, form: 'pass' });
  }
  const dir = mkdtempSync(join(tmpdir(), 'tl-vectors-'));
  try {
    const { publicKey } = generateKeyPairSync('ed25519');
    const key = join(dir, 'key.pem');
    writeFileSync(key, publicKey.export({ type: 'spki', format: 'pem' }));
    const { exit, document } = await callEvidence('ear', at(path), '--key', key);
    return differences({ ...document, exit }, unsigned);
  } finally {
    rmSync(dir, { recursive: true });
  }
}
