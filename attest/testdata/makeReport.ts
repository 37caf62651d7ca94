// Makes report.json, what the unit tests of reports are built from: evidence of a software TPM for a
// statement whose keys the tests hold, and the TPM maker's certificates. Run it with
// `node attest/testdata/makeReport.ts` when the format of one of them changes.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  encodeSigningPublic,
  generateSigningKey,
  signingKeyFromSeeds,
  type SigningKey,
} from '#agent/base/asymmetric.ts';
import { b64url } from '#agent/base/bytes.ts';
import { jcs } from '#agent/base/jcs.ts';
import { readEkAuthorities } from '#attest/roots/read.ts';
import {
  FIXTURE_CLUSTER,
  FIXTURE_DOMAIN,
  FIXTURE_NODE,
  makeFixture,
  type Fixture,
} from './make.ts';

export interface ReportFixture extends Fixture {
  readonly madeAtMs: number;
  /** PEM, root and intermediate of the software TPM's maker. */
  readonly roots: readonly string[];
}

/** The keys of the node in the fixture; known to all, as nothing but a test may be signed by them. */
export const fixtureNodeKey: SigningKey = signingKeyFromSeeds({
  ed25519: Buffer.alloc(32, 1),
  mldsa65: Buffer.alloc(32, 2),
});

if (import.meta.main) {
  const dir = await mkdtemp(join(tmpdir(), 'tl-report-'));
  try {
    const madeAtMs = Date.now();
    const statement = jcs({
      v: 1,
      domain: FIXTURE_DOMAIN,
      cluster: FIXTURE_CLUSTER,
      node: FIXTURE_NODE,
      sign: b64url(encodeSigningPublic(fixtureNodeKey.public)),
      lane: b64url(Buffer.alloc(32, 3)),
      seal: b64url(Buffer.alloc(1216, 4)),
      algorithms: [1],
      issuedAt: madeAtMs - 1000,
      nonce: b64url(Buffer.alloc(16, 5)),
    });
    const fixture = await makeFixture(dir, generateSigningKey(), madeAtMs, statement);
    const { certificates } = await readEkAuthorities(join(dir, 'ca'));
    const roots = certificates.map(String);
    const file = join(import.meta.dirname, 'report.json');
    await writeFile(file, `${JSON.stringify({ ...fixture, madeAtMs, roots }, null, 2)}\n`);
  } finally {
    await rm(dir, { recursive: true });
  }
}
