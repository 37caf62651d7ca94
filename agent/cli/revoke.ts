// `tidelock revoke`: an owner ends the admission of a node, now and everywhere.
import type { Revoked } from '#agent/api/revoked.ts';
import { EXIT } from '#agent/base/codes.ts';
import { giveWord, publishedText, reasonOf, WORD_FLAGS } from './ownerWord.ts';
import { printResult } from './output.ts';
import { defineVerb } from './verb.ts';

/** `tidelock revoke`. */
export const revoke = defineVerb({
  name: 'revoke',
  operands: { form: '<node>', min: 1, max: 1 },
  flags: {
    ...WORD_FLAGS,
    reason: { type: 'string', value: 'TEXT', required: true, help: 'why, for people' },
  },
  about:
    'Ends the admission of a node: all its enrolments up to now are void. Every agent that hears of it cuts its lanes with that node at once, and the next record begins a generation of keys without it. Run it on any node whose agent runs, with the configuration of that agent. A later enrolment brings the node back; to put a node out for a time, see quarantine. Needs root.',
  example:
    'tidelock revoke node-b --reason "disk stolen" --owner ./owner/owner.key\ntidelock revoke node-b --reason retired --owner ./owner/owner.key -o json',
  run: async (invocation) => {
    const reason = reasonOf('revoke', invocation.flags.reason);
    const revoked = await giveWord('revoke', invocation, () => ({ reason }));
    printResult(invocation, 'Revocation', { ...revoked }, textOf(revoked));
    return EXIT.ok;
  },
});

function textOf(revoked: Revoked): string {
  const { revocation, isNews, wasMember } = revoked;
  const { node, cluster, domain, reason } = revocation;
  if (!isNews) {
    return `${node} is revoked already, as of a later time than now: ${reason}\n  nothing was changed`;
  }
  return [
    `revoked ${node} of ${cluster} in ${domain}: ${reason}`,
    wasMember
      ? '  it was a member: its lanes are cut, and the next record begins a generation without it'
      : '  it was no member: what was enrolled for it up to now is void',
    publishedText(revoked),
    `  to bring it back: move away its enrolment.json, tidelock enroll there, and start its agent anew`,
  ].join('\n');
}
