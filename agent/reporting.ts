// Makes the attestation reports of a running agent: signs one when asked, and writes one to its state
// directory after each attestation, where a bounded number is kept. It judges nothing and never throws
// into the attestation that it follows.
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { b64url } from '#agent/base/bytes.ts';
import type { Clock } from '#agent/base/clock.ts';
import { asTidelockError } from '#agent/base/errors.ts';
import type { Json } from '#agent/base/jcs.ts';
import type { SignedDocument } from '#agent/base/signed.ts';
import type { OwnStatement } from '#agent/epochs/statement.ts';
import { reportAnswer, type ReportAnswer } from '#agent/report/answer.ts';
import { replaceFile } from './replaceFile.ts';
import type { Evidence } from '#attest/evidence.ts';
import { reportText, signReport, type NodeFacts } from '#attest/report.ts';
import type { Log } from './log.ts';

export interface ReportingOptions {
  /** Where reports are kept; made when it is missing. */
  readonly directory: string;
  readonly domain: string;
  readonly cluster: string;
  readonly node: NodeName;
  /** Pinned by this agent. */
  readonly owners: readonly SigningPublic[];
  /** As the owners signed them. */
  readonly policy: Json;
  readonly enrolment: Json;
  readonly facts: () => NodeFacts;
  readonly clock: Clock;
  readonly log: Log;
}

interface Taken {
  readonly evidence: Evidence;
  /** Unix milliseconds. */
  readonly atMs: number;
}

/** At one attestation in ten minutes, those of the last eight hours. */
const KEPT = 48;
const FILE = /^\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z\.json$/;

export class Reporting {
  readonly #o: ReportingOptions;
  #taken: Taken | undefined;
  #attested: (Taken & { readonly own: OwnStatement }) | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: ReportingOptions) {
    this.#o = options;
  }

  /** Remembers evidence just taken, and passes it on. */
  taken(evidence: Evidence): Evidence {
    this.#taken = { evidence, atMs: this.#o.clock.wallMs() };
    return evidence;
  }

  /** The evidence taken last held for `own`: reports are by these keys from now on. */
  attested(own: OwnStatement): void {
    if (this.#taken?.evidence.statement !== b64url(own.statement.bytes)) return;
    this.#attested = { ...this.#taken, own };
    this.#writing = this.#writing.then(() => this.#write());
  }

  /** What `GET /report` answers. */
  answer(): ReportAnswer {
    const report = this.#report();
    const reason = 'this node has not attested itself yet, or its last attestation failed';
    return reportAnswer(this.#o.owners, report ? { report } : { reason });
  }

  /** Resolves when nothing is being written any more. */
  close(): Promise<void> {
    return this.#writing;
  }

  /** None by keys whose newest evidence did not hold: an older, better report would mislead. */
  #report(): SignedDocument | undefined {
    if (!this.#attested || this.#attested.evidence !== this.#taken?.evidence) return undefined;
    const { domain, cluster, node, policy, enrolment, facts, clock } = this.#o;
    const { evidence, atMs, own } = this.#attested;
    return signReport({
      domain,
      cluster,
      node,
      sid: own.statement.sid,
      issuedAtMs: clock.wallMs(),
      attestedAtMs: atMs,
      evidence,
      enrolment,
      policy,
      facts: facts(),
      key: own.sign,
    });
  }

  async #write(): Promise<void> {
    const { directory, clock, log } = this.#o;
    try {
      const report = this.#report();
      if (!report) return;
      const file = join(directory, fileName(clock.wallMs()));
      await replaceFile(file, reportText(report));
      await prune(directory);
      log.debug('report.written', { text: `wrote attestation report ${file}` });
    } catch (thrown) {
      log.warn('report.failed', { error: asTidelockError(thrown, 'report.write') });
    }
  }
}

/** `2026-11-22T043000.123Z.json`: in the order of time, and a name on every file system. */
const fileName = (unixMs: number): string =>
  `${new Date(unixMs).toISOString().replaceAll(':', '')}.json`;

/** Removes the oldest reports beyond those kept; what is not named as a report is left alone. */
async function prune(directory: string): Promise<void> {
  const reports = (await readdir(directory)).filter((name) => FILE.test(name)).toSorted();
  for (const name of reports.slice(0, -KEPT)) await rm(join(directory, name), { force: true });
}
