// The files of vectors (PROTOCOL 13): their names below proxy/vectors and what stands in each.
import { blockVectors } from './blocks.ts';
import { chainVectors } from './chains.ts';
import { DOCUMENTS, documentVectors } from './documents.ts';
import { frameVectors } from './frames.ts';
import { joiningVectors } from './joining.ts';
import { laneSecretVectors } from './laneSecrets.ts';
import { laneVectors } from './lanes.ts';
import { maidVectors } from './maid.ts';
import { openingVectors } from './openings.ts';
import { messageVectors } from './readMessages.ts';
import { refusedMaidVectors } from './refusedMaid.ts';
import { refusedOpeningVectors } from './refusedOpenings.ts';
import { replyVectors } from './replies.ts';
import { rosterVectors } from './roster.ts';
import { sealedVectors } from './sealed.ts';
import { statementVectors } from './statements.ts';
import { updateVectors } from './updates.ts';
import { vectorText, type Vector } from './vector.ts';

const FILES: Readonly<Record<string, () => Vector[] | Promise<Vector[]>>> = {
  'statements.json': statementVectors,
  [DOCUMENTS]: documentVectors,
  'joining.json': joiningVectors,
  'roster.json': rosterVectors,
  'sealed.json': sealedVectors,
  'messages.json': messageVectors,
  'chains.json': chainVectors,
  'lane-secrets.json': laneSecretVectors,
  'blocks.json': blockVectors,
  'openings.json': openingVectors,
  'refused-openings.json': refusedOpeningVectors,
  'replies.json': replyVectors,
  'frames.json': frameVectors,
  'updates.json': updateVectors,
  'lanes.json': laneVectors,
  'maid.json': () => [...maidVectors(), ...refusedMaidVectors()],
};

/** The text of every file, by its name. Errors: Error where the product contradicts a vector. */
export async function vectorFiles(): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for (const [name, vectors] of Object.entries(FILES)) texts.set(name, vectorText(await vectors()));
  return texts;
}
