// The trust domain itself: whether its host may look inside, which module measured it, and whether what
// was measured is what owners enrolled. Only for reports whose signature holds.
import { fromHex, hex } from '#agent/base/bytes.ts';
import { about, fail, notChecked, pass, type Check, type TrustClaim } from '#attest/check.ts';
import { masked, tdAttributes } from './attributes.ts';
import type { TdxPolicy } from './policy.ts';
import { isZero, namedRegisters, shortValue, type RegisterName } from './registers.ts';
import type { TdReport } from './tdReport.ts';

/** Judges a verified report by a policy; what the policy does not name is said to be unchecked. */
export const domainChecks = (report: TdReport, policy: TdxPolicy): Check[] => [
  about('runtime-opaque', debugCheck(report, policy)),
  about('runtime-opaque', migrationCheck(report, policy)),
  about('configuration', attributesCheck(report, policy)),
  about('hardware', seamCheck(report)),
  ...registerChecks(report, policy),
  ...bitChecks(report, policy),
  ...floorChecks(report, policy),
];

function debugCheck(report: TdReport, { allow_debug: allowed }: TdxPolicy): Check {
  const name = 'TD debug';
  if (!tdAttributes(report.tdAttributes).underDebug) {
    return pass(name, 'The domain is not under debug: its memory is closed to the host.');
  }
  return allowed
    ? { ...pass(name, 'Under debug, which the policy allows.'), ceiling: 'warning' }
    : fail(
        name,
        'The domain is under debug: its host reads and writes its memory, nothing in it is secret. Start it without debug.',
      );
}

function migrationCheck(
  { tdAttributes: bytes }: TdReport,
  { allow_migratable: allowed }: TdxPolicy,
): Check {
  const name = 'TD migration';
  if (!tdAttributes(bytes).flags.migratable) {
    return pass(name, 'No migration domain may take the domain elsewhere.');
  }
  const text = 'The domain is migratable: a migration domain may copy its memory elsewhere.';
  return allowed
    ? pass(name, `${text} The policy allows it.`)
    : fail(name, `${text} Start it without migratable, or allow it in the policy.`);
}

const NO_BITS = '00'.repeat(8);

/** Bits under the mask of the policy are its own affair, bitChecks; the others are judged here. */
function attributesCheck({ tdAttributes: bytes }: TdReport, policy: TdxPolicy): Check {
  const name = 'TD attributes';
  const { flags, unknownBits } = tdAttributes(bytes);
  const named = tdAttributes(fromHex(policy.td_attributes?.mask ?? NO_BITS));
  const set = Object.keys(flags).filter((flag) => flag !== 'debug' && isSet(flags, flag));
  const text = `Set: ${set.join(', ') || 'none'}.`;
  const unnamed = unknownBits.filter((bit) => !named.unknownBits.includes(bit));
  if (unnamed.length > 0) {
    const bits = unnamed.join(', ');
    return fail(
      name,
      `${text} Bits ${bits} have no meaning yet: name them in td_attributes of the policy if they are intended.`,
      'warning',
    );
  }
  return flags.sept_ve_disable || named.flags.sept_ve_disable
    ? pass(name, text)
    : fail(
        name,
        `${text} Not sept_ve_disable: the host can inject exceptions into code that expects none. Start the domain with it, or name the bits in td_attributes of the policy.`,
        'warning',
      );
}

const isSet = (flags: Readonly<Record<string, boolean>>, flag: string): boolean =>
  flags[flag] === true;

/** MRSIGNERSEAM of Intel's own module is zero, and so are the attributes of one fit for production. */
function seamCheck({ mrSignerSeam, seamAttributes }: TdReport): Check {
  const name = 'SEAM module';
  return isZero(mrSignerSeam) && isZero(seamAttributes)
    ? pass(name, 'The TDX module is signed by Intel, for production.')
    : fail(
        name,
        `mr_signer_seam ${shortValue(mrSignerSeam)}, seam_attributes ${hex(seamAttributes)}: the TDX module is not Intel’s of production. Load that one.`,
      );
}

const CLAIMS: Readonly<Record<RegisterName, TrustClaim>> = {
  mr_td: 'executables',
  rtmr0: 'executables',
  rtmr1: 'executables',
  rtmr2: 'executables',
  rtmr3: 'executables',
  mr_seam: 'hardware',
  mr_config_id: 'configuration',
  mr_owner: 'instance-identity',
  mr_owner_config: 'configuration',
  mr_service_td: 'configuration',
  report_data: 'instance-identity',
};

/** Zero says that nothing was put there; only these must have a value of the owners' all the same. */
const ALWAYS_ASKED: readonly RegisterName[] = ['mr_td', 'report_data'];
/** Judged by the TCB info as a version, whatever its hash. */
const NEVER_ASKED: readonly RegisterName[] = ['mr_seam'];

const registerChecks = (report: TdReport, policy: TdxPolicy): Check[] =>
  namedRegisters(report).flatMap(([name, value]) => {
    const check = registerCheck(name, value, policy[name]);
    return check === undefined ? [] : [about(CLAIMS[name], check)];
  });

function registerCheck(
  name: RegisterName,
  value: Buffer | undefined,
  enrolled: readonly string[] | undefined,
): Check | undefined {
  if (value === undefined) {
    const text = `The policy names a value, and reports of TDX 1.0 have no ${name}: have the host give quotes of TDX 1.5 (version 5).`;
    return enrolled && fail(name, text);
  }
  if (enrolled === undefined) {
    if (NEVER_ASKED.includes(name)) return undefined;
    if (isZero(value) && !ALWAYS_ASKED.includes(name)) return undefined;
    return notChecked(name, `${shortValue(value)}: ${unasked(name)}`, 'warning');
  }
  if (enrolled.includes(hex(value))) return pass(name, `${shortValue(value)}, as enrolled.`);
  const expected = enrolled
    .map((each) => `${each.slice(0, 16)}..`)
    .slice(0, 5)
    .join(', ');
  return fail(
    name,
    `${shortValue(value)} is not among the ${enrolled.length} enrolled (${expected}): ${differing(name)}`,
  );
}

const unasked = (name: RegisterName): string =>
  name === 'report_data'
    ? 'the policy names no value, so that nothing ties this quote to a challenge or a key: it may be of any age.'
    : `the policy names no value of ${name} to compare with.`;

const differing = (name: RegisterName): string =>
  name === 'report_data'
    ? 'the quote answers another challenge (a replay) or speaks for another key (a relay).'
    : 'something else was measured. Enrol it if it was changed on purpose.';

function bitChecks(report: TdReport, policy: TdxPolicy): Check[] {
  const values = { td_attributes: report.tdAttributes, xfam: report.xfam };
  return (['td_attributes', 'xfam'] as const).flatMap((name) => {
    const wanted = policy[name];
    if (wanted === undefined) return [];
    const is = masked(values[name], fromHex(wanted.mask));
    const check =
      is === wanted.value
        ? pass(name, `${hex(values[name])} under mask ${wanted.mask} is ${is}, as the policy asks.`)
        : fail(
            name,
            `${hex(values[name])} under mask ${wanted.mask} is ${is}, the policy asks for ${wanted.value}: start the domain with those.`,
          );
    return [about('configuration', check)];
  });
}

function floorChecks({ teeTcbSvn }: TdReport, { min_tee_tcb_svn: floor }: TdxPolicy): Check[] {
  if (floor === undefined) return [];
  const name = 'TEE TCB floor';
  const low = [...fromHex(floor)].flatMap((needed, index) => {
    const is = teeTcbSvn[index] ?? 0;
    return is < needed ? [`TDX component ${index + 1} is ${is}, needs ${needed}`] : [];
  });
  const check =
    low.length === 0
      ? pass(name, `${hex(teeTcbSvn)} is at least ${floor}.`)
      : fail(name, `${low.join('; ')}: update the firmware and the TDX module of the host.`);
  return [about('hardware', check)];
}
