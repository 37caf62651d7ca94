// An authentic report beside the reference values of a policy: what was measured, who launched it, and for
// whom it speaks. A missing reference value is never a pass.
import { hex } from '#agent/base/bytes.ts';
import { about, fail, notChecked, pass, type Check, type TrustClaim } from '#attest/check.ts';
import type { SnpPolicy } from './policy.ts';
import type { SnpReport } from './report.ts';
import type { Vek } from './vek.ts';

interface Reference {
  readonly key:
    | 'measurement'
    | 'report_data'
    | 'host_data'
    | 'family_id'
    | 'image_id'
    | 'id_key_digest'
    | 'author_key_digest'
    | 'chip_id';
  readonly claim: TrustClaim;
  readonly found: (report: SnpReport) => Buffer;
  /** What stays unknown without a reference value, where that is worth a warning. */
  readonly unknown?: string;
}

const REFERENCES: readonly Reference[] = [
  {
    key: 'measurement',
    claim: 'executables',
    found: ({ measurement }) => measurement,
    unknown: 'The policy names no measurement: what the guest runs is not known.',
  },
  {
    key: 'report_data',
    claim: 'instance-identity',
    found: ({ reportData }) => reportData,
    unknown:
      'The policy names no report_data: which challenge or key the report answers for is not known; it may be an old one.',
  },
  { key: 'host_data', claim: 'configuration', found: ({ hostData }) => hostData },
  { key: 'family_id', claim: 'executables', found: ({ familyId }) => familyId },
  { key: 'image_id', claim: 'executables', found: ({ imageId }) => imageId },
  { key: 'id_key_digest', claim: 'executables', found: ({ idKeyDigest }) => idKeyDigest },
  {
    key: 'author_key_digest',
    claim: 'executables',
    found: ({ authorKeyDigest }) => authorKeyDigest,
  },
  { key: 'chip_id', claim: 'instance-identity', found: ({ chipId }) => chipId },
];

/** Compares an authentic report with every value that `policy` names, and says what it does not name. */
export function referenceChecks(report: SnpReport, vek: Vek, policy: SnpPolicy): Check[] {
  const asked = REFERENCES.filter(
    ({ key, unknown }) => policy[key] !== undefined || unknown !== undefined,
  );
  const left = REFERENCES.filter((each) => !asked.includes(each)).map(({ key }) => key);
  return [
    ...(policy.products === undefined
      ? []
      : [about('hardware', allowedProduct(vek, policy.products))]),
    ...asked.map((each) => about(each.claim, referenceCheck(each, report, policy))),
    ...(left.length === 0
      ? []
      : [notChecked('other values', `The policy names no ${left.join(', ')}.`)]),
  ];
}

function referenceCheck(
  { key, found, unknown }: Reference,
  report: SnpReport,
  policy: SnpPolicy,
): Check {
  const name = key.replaceAll('_', ' ');
  const accepted = policy[key];
  if (accepted === undefined) return notChecked(name, unknown ?? '', 'warning');
  const value = hex(found(report));
  return accepted.includes(value)
    ? pass(name, `${value.slice(0, 16)}.., one of the ${accepted.length} that the policy names.`)
    : fail(name, `${value} is not among the ${accepted.length} that the policy names.`);
}

const allowedProduct = ({ product }: Vek, accepted: NonNullable<SnpPolicy['products']>): Check =>
  accepted.includes(product)
    ? pass('allowed product', `${product} is among those that the policy names.`)
    : fail('allowed product', `${product} is not among ${accepted.join(', ')}.`);
