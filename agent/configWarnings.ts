// What a configuration may say and an operator should think about twice: one sentence each, for
// `config check`, doctor and the log of a start. It refuses nothing; configSchema.ts does.
import { familyOf, rangeText, type Range } from '#proxy/range.ts';
import type { Config } from './config.ts';

/** Three slots from a record to its effect, two that a sender stops sooner, and as many to spare. */
const LEAST_PERIODS = 10;

/** What is allowed and still not advisable, one sentence each. */
export function configWarnings(config: Config): string[] {
  const warnings: string[] = [];
  if (config.epochs.periodMs < 5_000) {
    warnings.push(
      `epochs.periodMs is ${config.epochs.periodMs}: under 5000 leaves little room for clock offsets and bus latency`,
    );
  }
  const { periodMs, maxStalenessSeconds } = config.epochs;
  if (maxStalenessSeconds * 1000 < LEAST_PERIODS * periodMs) {
    warnings.push(
      `epochs.maxStalenessSeconds is ${maxStalenessSeconds}, less than ${LEAST_PERIODS} periods: a bus that is away for a moment stops all new lanes`,
    );
  }
  if (config.policy.mode === 'observe') {
    warnings.push(
      'policy.mode is observe: connections that no rule allows are carried all the same',
    );
  }
  if (config.lanes.podNetworks.length === 0) {
    warnings.push(
      'lanes.podNetworks is empty: an attested node can announce pods at addresses of anybody',
    );
  }
  warnings.push(...openDoors(config), ...exceptions(config));
  const { udp, udpExcept } = config.lanes;
  if (
    udp === 'refuse' &&
    !udpExcept.some(({ ports }) => ports.length === 0 || ports.includes(53))
  ) {
    warnings.push('lanes.udp is refuse and lanes.udpExcept names no port 53: pods cannot ask DNS');
  }
  if (config.epochs.lease === 'bus') {
    for (const [setting, value] of Object.entries(config.kubernetes)) {
      if (value === undefined) continue;
      warnings.push(`kubernetes.${setting} changes nothing: epochs.lease is bus`);
    }
  }
  if (config.tpm.tcti.startsWith('swtpm:')) {
    warnings.push('tpm.tcti is a software TPM: whoever owns this machine owns it');
  }
  return warnings;
}

/** Plaintext is what `observe` is for; beside `enforce` it goes round every rule. */
function openDoors({ lanes, policy }: Config): string[] {
  if (policy.mode === 'observe') return [];
  const inbound = 'lanes.inbound is plain: pods take plaintext of anybody, whatever policy says';
  const unmeshed =
    'lanes.unmeshed is plain: pods reach everybody outside of the mesh in the clear, whatever policy says';
  return [
    ...(lanes.inbound === 'plain' ? [inbound] : []),
    ...(lanes.unmeshed === 'plain' ? [unmeshed] : []),
  ];
}

/** Exceptions are from a refusal: where nothing is refused they are probably a slip. */
const exceptions = ({ lanes }: Config): string[] =>
  (['inbound', 'unmeshed', 'udp'] as const).flatMap((setting) => {
    const name = `lanes.${setting}Except`;
    const ranges = lanes[`${setting}Except`];
    const value = lanes[setting];
    if (ranges.length === 0) return [];
    if (value !== 'refuse') return [`${name} changes nothing: lanes.${setting} is ${value}`];
    return ranges.flatMap((range) => {
      const why = widthOf(range);
      return why === undefined ? [] : [`${name} has ${rangeText(range)}: ${why}`];
    });
  });

/** The shortest prefix that may go without ports, for each family: about one site's addresses. */
const SITE_PREFIX = { 4: 16, 6: 32 } as const;

/** Why a range is wider than an exception should be, if it is. */
function widthOf({ network, ports }: Range): string | undefined {
  const [, prefix] = network.split('/');
  if (prefix === undefined) return undefined;
  const site = SITE_PREFIX[familyOf(network)];
  if (Number(prefix) === 0) return 'every address there is; name the networks that are meant';
  if (ports.length > 0 || Number(prefix) >= site) return undefined;
  return `every port of a network wider than /${site}; name the ports, or a smaller network`;
}
