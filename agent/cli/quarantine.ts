// `tidelock quarantine`: an owner puts a node out for a time, or lets it in again before that.
import type { Revoked } from '#agent/api/revoked.ts';
import { EXIT } from '#agent/base/codes.ts';
import { usage } from './arguments.ts';
import { giveWord, publishedText, reasonOf, WORD_FLAGS } from './ownerWord.ts';
import { printResult } from './output.ts';
import { timeSpanMs } from './timeSpan.ts';
import { defineVerb } from './verb.ts';

const USUAL = '24h';

/** `tidelock quarantine`. */
export const quarantine = defineVerb({
  name: 'quarantine',
  operands: { form: '<node>', min: 1, max: 1 },
  flags: {
    ...WORD_FLAGS,
    reason: { type: 'string', value: 'TEXT', help: 'why, for people; needed unless with --lift' },
    for: { type: 'string', value: 'TIME', help: `how long, such as 30m, 12h or 7d; ${USUAL}` },
    lift: { type: 'boolean', help: 'let the node in again now' },
  },
  about:
    'Puts a node out for a time, or until it is lifted: every agent that hears of it cuts its lanes with that node at once, as after a revocation, and the next record begins a generation of keys without it. When the quarantine is over the agent of that node proves itself and joins again, with the enrolment that it has. What an owner has revoked stays so. Run it on any node whose agent runs, with the configuration of that agent. Needs root.',
  example:
    'tidelock quarantine node-b --reason "looking into alerts" --for 12h --owner ./owner/owner.key\ntidelock quarantine node-b --lift --owner ./owner/owner.key',
  run: async (invocation) => {
    const { flags } = invocation;
    const isLift = flags.lift ?? false;
    if (isLift && flags.for !== undefined)
      throw usage('quarantine', '--lift ends it, --for begins it');
    if (!isLift && flags.reason === undefined) throw usage('quarantine', 'it needs --reason TEXT');
    const reason = reasonOf('quarantine', flags.reason ?? 'lifted');
    const lengthMs = isLift ? 0 : timeSpanMs('quarantine', flags.for ?? USUAL);
    const given = await giveWord('quarantine', invocation, (issuedAt, revokedAt) => ({
      reason,
      until: issuedAt + lengthMs,
      ...(revokedAt === undefined ? {} : { revokedAt }),
    }));
    printResult(invocation, 'Quarantine', { ...given }, textOf(given, isLift));
    return EXIT.ok;
  },
});

function textOf(given: Revoked, isLift: boolean): string {
  const { revocation, isNews, wasMember } = given;
  const { node, cluster, domain, reason, until, revokedAt } = revocation;
  if (!isNews) {
    return `an owner has said something of ${node} that is newer: ${reason}\n  nothing was changed`;
  }
  const then = new Date(until ?? 0).toISOString();
  return [
    isLift
      ? `lifted the quarantine of ${node} of ${cluster} in ${domain}`
      : `quarantined ${node} of ${cluster} in ${domain} until ${then}: ${reason}`,
    ...(isLift ? [] : [wasMember ? MEMBER : NO_MEMBER]),
    publishedText(given),
    ...(revokedAt === undefined
      ? []
      : [
          `  revoked for good is what was enrolled for it up to ${new Date(revokedAt).toISOString()}`,
        ]),
    isLift
      ? `  ${revokedAt === undefined ? 'its' : 'if it was enrolled since, its'} agent proves itself and joins again within some slots`
      : `  then its agent joins again by itself; sooner: tidelock quarantine ${node} --lift`,
  ].join('\n');
}

const MEMBER =
  '  it was a member: its lanes are cut, and the next record begins a generation without it';
const NO_MEMBER = '  it was no member: until then it is not let in';
