// Event logs, CCELs and IMA lists: what our verbs say of a sample beside what is true of it.
import { EXIT } from '#agent/base/codes.ts';
import { at, callEvidence } from './call.ts';
import { differences, member, members, type Differences } from './differences.ts';
import type { Truth } from './truth.ts';

const SECURE_BOOT: Readonly<Record<string, boolean>> = { '00': false, '01': true };

/** Registers, form, boot facts; a negative one must fail or be malformed. */
export async function eventLogDifferences({
  path,
  negative,
  stated,
  computed,
}: Truth): Promise<Differences> {
  const { exit, document } = await callEvidence('eventlog', at(path), '--events');
  if (computed['error'] !== undefined) return differences({ exit }, { exit: EXIT.malformed });
  const events = document['events'] as readonly unknown[];
  const boot = member(document, 'boot');
  const commandLine = member(boot, 'kernelCommandLine');
  return [
    ...differences(
      { ...document, exit, events: events.length, uncovered: uncovered(events) },
      {
        exit: negative ? EXIT.notVerified : EXIT.ok,
        format: computed['format'],
        algorithms: computed['algs'],
        events: computed['events'],
        trailingBytes: computed['trailing_bytes'],
        startupLocality: computed['startup_locality'],
        pcrs: computed['pcrs'],
        secureBoot: negative ? null : (SECURE_BOOT[String(computed['secureboot_var'])] ?? null),
        uncovered: uncoveredTruth(computed['digest_ne_hash_of_data']),
      },
    ),
    ...Object.entries(members(stated['pcrs'])).flatMap(([bank, pcrs]) =>
      differences(members(member(document['pcrs'], bank)), members(pcrs)),
    ),
    ...differences(applications(boot), members(stated['efi_app_digests'])),
    ...(typeof stated['kernel_cmdline'] === 'string'
      ? differences({ commandLine }, { commandLine: unescaped(stated['kernel_cmdline']) })
      : []),
  ];
}

/** Events whose type promises a digest of their data, and whose digest is another. */
const uncovered = (events: readonly unknown[]): unknown =>
  events
    .filter((event) => member(event, 'dataCovered') === false)
    .filter((event) => PROMISES.test(String(member(event, 'type'))))
    .map((event) => member(event, 'index'));

/** What TRUTH.json compares; of boot variables firmware measures the contents alone. */
const PROMISES = /^EV_(?:EFI_VARIABLE_(?!BOOT)|SEPARATOR|S_CRTM_VERSION|EFI_GPT)/;

const uncoveredTruth = (listed: unknown): unknown => [
  ...new Set((listed as readonly (readonly unknown[])[]).map(([event]) => event)),
];

/** The origin's tests have it as Go source, with the byte that ends it. */
const unescaped = (go: string): string => go.replaceAll('\\"', '"').replace(/\\x00$/, '');

/** Digests of boot loaders by bank, in the order in which they were started. */
function applications(boot: unknown): Record<string, unknown> {
  const started = (member(boot, 'efiApplications') ?? []) as readonly unknown[];
  const banks = new Set(started.flatMap((each) => Object.keys(members(member(each, 'digests')))));
  return Object.fromEntries(
    [...banks].map((bank) => [bank, started.map((each) => member(member(each, 'digests'), bank))]),
  );
}

/** RTMRs, by the origin's quote and by computation. */
export async function ccelDifferences({ path, stated, computed }: Truth): Promise<Differences> {
  const { exit, document } = await callEvidence('ccel', at(path));
  const rtmrs = members(document['rtmrs']);
  return [
    ...differences(
      { ...document, exit },
      {
        exit: EXIT.ok,
        algorithms: computed['algs'],
        events: computed['events'],
        trailingBytes: computed['trailing_bytes'],
        secureBoot: SECURE_BOOT[String(computed['secureboot_var'])] ?? null,
      },
    ),
    ...differences(rtmrs, members(stated['rtmr'])),
    ...differences(rtmrs, members(member(computed['rtmrs'], 'sha384'))),
  ];
}

/** Entries, templates and registers; the flagged ones must have their finding. */
export async function imaDifferences({ path, computed }: Truth): Promise<Differences> {
  const { exit, document } = await callEvidence('ima', at(path));
  const [mismatches, violations] = [
    computed['template_hash_mismatch'] as readonly unknown[],
    computed['violations'] as readonly unknown[],
  ];
  const findings = document['findings'] as readonly unknown[];
  const codes = findings.map((finding) => member(finding, 'code'));
  return [
    ...differences(
      { ...document, exit, flagged: codes.includes('ZERO_BOOT_AGGREGATE') },
      {
        exit: mismatches.length > 0 ? EXIT.notVerified : EXIT.ok,
        entries: computed['entries'],
        templates: computed['templates'],
        violations: violations.length,
        mismatches: mismatches.length,
        flagged: /:0+$/.test(String(computed['first'])),
      },
    ),
    ...differences(members(document['pcrs']), {
      sha1: computed['pcr_sha1'],
      sha256: computed['pcr_sha256'],
    }),
  ];
}
