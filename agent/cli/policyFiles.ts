// The files that the policy verbs read: reference policies, signed or drafts, event logs and PCR values.
import { resolve } from 'node:path';
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import { TidelockError } from '#agent/base/errors.ts';
import { parseInput, readInput } from '#agent/cli/evidence/input.ts';
import { readOwnerPublic } from '#agent/owner.ts';
import { parseEventLog, type EventLog } from '#attest/eventlog/parse.ts';
import { MAX_EVENT_LOG_BYTES } from '#attest/evidence.ts';
import type { PolicyBank } from '#attest/owned.ts';
import {
  readPolicyDraft,
  readReferencePolicy,
  type ReferencePolicy,
} from '#attest/policy/document.ts';
import type { PcrValues } from '#attest/quote.ts';
import { readPcrBanks } from '#attest/quote/pcrs.ts';
import { MAX_POLICY_BYTES, readBounded } from '#attest/boundedJson.ts';

const MAX_PCRS_BYTES = 64 << 10;

/** Errors: FILE_UNREADABLE, EVIDENCE_MALFORMED. */
export const readLog = (cwd: string, path: string): Promise<EventLog> =>
  parseInput({ cwd, path, what: 'event log' }, MAX_EVENT_LOG_BYTES, parseEventLog);

/** Values of `bank` in a file; none where the file speaks of other banks. Errors: as readLog. */
export async function readPcrs(cwd: string, path: string, bank: PolicyBank): Promise<PcrValues> {
  const from = { cwd, path, what: 'PCR values' };
  const banks = await parseInput(from, MAX_PCRS_BYTES, readPcrBanks);
  return banks.get(bank) ?? new Map();
}

/** Owner keys by their files. Errors: OWNER_KEY_INVALID. */
export const readOwners = (cwd: string, files: readonly string[]): Promise<SigningPublic[]> =>
  Promise.all(files.map((file) => readOwnerPublic(resolve(cwd, file))));

/** A policy that one of `owners` signed. Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID, FILE_UNREADABLE. */
export const readSignedPolicy = async (
  cwd: string,
  path: string,
  owners: readonly SigningPublic[],
): Promise<ReferencePolicy> => readReferencePolicy(await readJson(cwd, path), owners);

/**
 * A policy to be looked at or worked on: a draft, or the payload of a signed one, by whomever it is.
 * Errors: DOCUMENT_MALFORMED, FILE_UNREADABLE.
 */
export async function readPolicyText(cwd: string, path: string): Promise<ReferencePolicy> {
  const json = await readJson(cwd, path);
  const isSigned = typeof json === 'object' && json !== null && 'payload' in json;
  return readPolicyDraft(isSigned ? json.payload : json);
}

async function readJson(cwd: string, path: string): Promise<unknown> {
  const bytes = await readInput({ cwd, path, what: 'reference policy' }, MAX_POLICY_BYTES);
  const json = readBounded(bytes, MAX_POLICY_BYTES);
  if ('value' in json) return json.value;
  throw new TidelockError('DOCUMENT_MALFORMED', {
    op: 'reference-policy.read',
    message: `Cannot read reference policy ${resolve(cwd, path)}: it is ${json.why}`,
    hint: 'A reference policy is JSON, made by tidelock policy from-evidence.',
  });
}
