// Where the shared attestation vectors lie and what is true of them. They stay outside the repository;
// tests that need them are skipped with `noVectors` as the reason when they are not there.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTORY = '../shared/vectors/attest';

/** Why vector tests are skipped; undefined when the vectors are there. */
export const noVectors: string | undefined = existsSync(join(DIRECTORY, 'TRUTH.json'))
  ? undefined
  : `no vectors in ${DIRECTORY}`;

export const vector = (path: string): Buffer => readFileSync(join(DIRECTORY, path));
export const vectorText = (path: string): string => vector(path).toString().trim();
export const vectorDirectory = (path: string): string => join(DIRECTORY, path);
export const hasVector = (path: string): boolean => existsSync(join(DIRECTORY, path));

/** What TRUTH.json says of an event log. */
export interface LogTruth {
  readonly format: 'crypto-agile' | 'legacy-sha1';
  readonly algs: readonly string[];
  readonly events: number;
  readonly trailing_bytes: number;
  readonly startup_locality: number | null;
  /** Contents of the SecureBoot variable as logged, hex; null when it is not. */
  readonly secureboot_var: string | null;
  readonly pcrs: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly digest_ne_hash_of_data: readonly (readonly [event: number, pcr: number])[];
  readonly error?: string;
}

/** What TRUTH.json says of a quote. */
export interface QuoteTruth {
  readonly attest: {
    readonly qualifiedSigner: string;
    readonly extraData: string;
    readonly clockInfo: {
      readonly clock: number;
      readonly resetCount: number;
      readonly restartCount: number;
      readonly safe: number;
    };
    readonly firmwareVersion: string;
    readonly pcrSelect: readonly { readonly alg: string; readonly pcrs: readonly number[] }[];
    readonly pcrDigest: string;
  };
  readonly sig_valid: boolean;
  readonly nonce_matches: boolean;
  readonly pcr_digest_matches?: boolean;
  readonly ak_name?: string;
}

/** What the origin's own tests say of an event log, each where they say it. */
export interface LogStated {
  /** Hex by bank, in the order of the boot. */
  readonly efi_app_digests?: Readonly<Record<string, readonly string[]>>;
  /** As a Go string literal, without its quotes. */
  readonly kernel_cmdline?: string;
  readonly rtmr?: Readonly<Record<string, string>>;
}

/** Stated truth of an event log; empty where the origin states none. */
export function logStated(path: string): LogStated {
  const all = JSON.parse(vectorText('TRUTH.json')) as Record<
    string,
    { readonly stated?: LogStated }
  >;
  return all[path]?.stated ?? {};
}

interface TruthEntry<T> {
  readonly negative?: boolean;
  readonly computed?: T | null;
}

/** Entries of one folder that have a computed truth, by path. */
export function truths<T>(
  folder: string,
  name = '',
): [path: string, truth: T, negative: boolean][] {
  if (noVectors !== undefined) return [];
  const all = JSON.parse(vectorText('TRUTH.json')) as Record<string, TruthEntry<T>>;
  return Object.entries(all).flatMap(([path, { computed, negative = false }]) =>
    path.startsWith(`${folder}/`) && path.endsWith(name) && computed
      ? [[path, computed, negative]]
      : [],
  );
}
