// What is to be said of the entries of a list: how many, of which templates, which of them were altered
// or violated. It counts every one and describes the first of each kind.
import type { Finding, Severity } from '#attest/finding.ts';
import { bootAggregateOf, type BootAggregate } from './bootAggregate.ts';
import { entryText, isViolation, templateHash, type ImaEntry } from './entry.ts';

/** Findings of one code that are described; all are counted. */
const MAX_DESCRIBED = 100;

export class ImaTally {
  #entries = 0;
  #bootAggregate: BootAggregate | undefined;
  readonly #templates = new Map<string, number>();
  readonly #counts = new Map<string, number>();
  readonly #findings: Finding[] = [];

  get entries(): number {
    return this.#entries;
  }

  /** Number of entries by template. */
  get templates(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#templates);
  }

  /** Entries that changed while they were measured. */
  get violations(): number {
    return this.#counts.get('VIOLATION') ?? 0;
  }

  /** Entries whose template hash is not that of what they state. */
  get mismatches(): number {
    return this.#counts.get('TEMPLATE_HASH_MISMATCH') ?? 0;
  }

  get bootAggregate(): BootAggregate | undefined {
    return this.#bootAggregate;
  }

  get findings(): readonly Finding[] {
    return this.#findings;
  }

  /** The same tally, which can go on by itself. */
  copy(): ImaTally {
    const copy = new ImaTally();
    copy.#entries = this.#entries;
    copy.#bootAggregate = this.#bootAggregate;
    for (const [name, count] of this.#templates) copy.#templates.set(name, count);
    for (const [code, count] of this.#counts) copy.#counts.set(code, count);
    copy.#findings.push(...this.#findings);
    return copy;
  }

  add(entry: ImaEntry): void {
    this.#entries += 1;
    this.#templates.set(entry.template, (this.#templates.get(entry.template) ?? 0) + 1);
    if (entry.index === 0) this.#addFirst(entry);
    if (isViolation(entry)) {
      this.#find('VIOLATION', 'warning', entry, () => VIOLATION);
    } else if (templateHash(entry, entry.listedBy) !== entry.listed) {
      const recomputed = (): string =>
        `the listed ${entry.listedBy} template hash ${entry.listed} is not that of its contents, ${templateHash(entry, entry.listedBy)}: the list was edited. Take it again from the kernel.`;
      this.#find('TEMPLATE_HASH_MISMATCH', 'error', entry, recomputed);
    }
  }

  #addFirst(entry: ImaEntry): void {
    this.#bootAggregate = bootAggregateOf(entry);
    if (this.#bootAggregate === undefined) {
      this.#find('NO_BOOT_AGGREGATE', 'warning', entry, () => NO_BOOT_AGGREGATE);
    } else if (this.#bootAggregate.zero) {
      this.#find('ZERO_BOOT_AGGREGATE', 'warning', entry, () => ZERO_BOOT_AGGREGATE);
    }
  }

  #find(code: string, severity: Severity, entry: ImaEntry, state: () => string): void {
    const count = (this.#counts.get(code) ?? 0) + 1;
    this.#counts.set(code, count);
    if (count > MAX_DESCRIBED) return;
    const text = `${entryText(entry)}: ${state()}`;
    this.#findings.push({ code, severity, event: entry.index, pcr: entry.pcr, text });
  }
}

const VIOLATION =
  'a violation: the file was open for writing while it was measured, so what ran is unknown. Its digest is missing from the list, and the register was extended with ones.';
const NO_BOOT_AGGREGATE =
  'the first entry is not boot_aggregate: the list does not start where the kernel started it. Take the whole list.';
const ZERO_BOOT_AGGREGATE =
  'the boot aggregate is all zero: the kernel had no TPM when IMA started, so the list is tied to no boot. Build the TPM driver into the kernel.';
