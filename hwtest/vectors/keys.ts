// Quotes, certificates of TPMs, and the known answer of MakeCredential: what ours say of a sample beside
// what is true of it.
import { EXIT } from '#agent/base/codes.ts';
import { concat, fromHex, hex } from '#agent/base/bytes.ts';
import { makeCredential } from '#attest/credential.ts';
import { hasVector, vectorText } from '#attest/testdata/vectors.ts';
import { parsePublic } from '#attest/tpm/public.ts';
import { at, callEvidence, resultOf } from './call.ts';
import { differences, member, members, type Differences } from './differences.ts';
import { negativeDifferences } from './negatives.ts';
import type { Truth } from './truth.ts';

/** While every certificate among the samples is valid. */
const AT = '2025-01-01';

/** Signature, nonce and register values as stated; every field of the quote. */
export async function quoteDifferences({
  path,
  negative,
  stated,
  computed,
}: Truth): Promise<Differences> {
  const folder = path.slice(0, path.lastIndexOf('/'));
  const argv = ['quote', ...quoteFlags(folder, computed, stated)];
  const { exit, document } = await callEvidence(...argv);
  const negatives = [stated['upstream_negatives'] ?? []].flat().map(String);
  const fresh = computed['nonce_matches'] === true && vectorText(`${folder}/nonce.hex`) !== '';
  const good = computed['sig_valid'] === true && fresh && !negative;
  const { trailing: _, ...fields } = members(computed['attest']);
  return [
    ...differences(
      {
        exit,
        signature: resultOf(document, 'quote signature'),
        nonce: resultOf(document, 'nonce'),
      },
      {
        exit: good ? EXIT.ok : EXIT.notVerified,
        signature: computed['sig_valid'] === true ? 'pass' : 'fail',
        ...(computed['sig_valid'] === true && { nonce: fresh ? 'pass' : 'fail' }),
      },
    ),
    ...(computed['sig_valid'] === true
      ? differences(members(document['attest']), fields)
      : differences(document, { attest: null })),
    ...(await negativeDifferences(negatives, argv)),
  ];
}

/** The files of a sample; what a sample leaves out is that of the one it was derived from. */
function quoteFlags(
  folder: string,
  computed: Truth['computed'],
  stated: Truth['stated'],
): readonly string[] {
  const first = (...names: readonly string[]): string =>
    at(`${folder}/${names.find((name) => hasVector(`${folder}/${name}`)) ?? names[0]}`);
  const bank = /-(sha\d+)$/.exec(folder)?.[1];
  const name = computed['ak_name'] ?? stated['ak_name'];
  const files = {
    message: first('quote.msg'),
    signature: first('quote.sig', 'quote.rawsig'),
    ak: first('ak.tpm2b_public', 'ak.tpmt_public', 'ak.pem'),
    pcrs: first('pcrs.json', 'quotepcr.out'),
    nonce: vectorText(`${folder}/nonce.hex`),
  };
  return [
    ...Object.entries(files).flatMap(([flag, value]) => [`--${flag}`, value]),
    ...(bank === undefined ? [] : ['--bank', bank]),
    ...(typeof name === 'string' ? ['--ak-name', name] : []),
    ...optional(folder, '--eventlog', 'eventlog.bin'),
    ...optional(folder, '--ima', 'ima.ascii'),
    ...optional(folder, '--hcl', 'hcl-report.bin'),
    ...optional(folder, '--vek', 'vcek.pem'),
    ...(hasVector(`${folder}/vcek.pem`) ? ['--at', AT] : []),
  ];
}

const optional = (folder: string, flag: string, file: string): readonly string[] =>
  hasVector(`${folder}/${file}`) ? [flag, at(`${folder}/${file}`)] : [];

/** Trusted under the roots beside it, and by no others. */
export async function ekDifferences({ path, computed }: Truth): Promise<Differences> {
  const judged = await callEvidence('ek', at(path), '--roots', at('ek/roots'), '--at', AT);
  const others = await callEvidence('ek', at(path), '--roots', at('snp/certs'), '--at', AT);
  const text = String(computed['openssl']);
  const serial = /serial=([0-9A-F]+)/.exec(text)?.[1];
  return differences(
    {
      exit: judged.exit,
      serial: member(judged.document['claims'], 'serial'),
      byOthers: others.exit,
      claimsByOthers: others.document['claims'],
    },
    {
      exit: computed['verifies_against_roots'] === true ? EXIT.ok : EXIT.notVerified,
      serial,
      byOthers: EXIT.notVerified,
      claimsByOthers: {},
    },
  );
}

interface KnownAnswer {
  readonly ek_tpm2b_public: string;
  readonly credential: string;
  readonly ak_name: string;
  readonly expected_first_80_bytes: string;
}

/** The head of the file that tpm2_makecredential would write. */
export function credentialDifferences({ path }: Truth): Differences {
  const known = JSON.parse(vectorText(path)) as KnownAnswer;
  const { key, nameAlg, aesBits = 0 } = parsePublic(fromHex(known.ek_tpm2b_public));
  const { credentialBlob, encryptedSecret } = makeCredential(
    { key, nameAlg, aesBits },
    fromHex(known.ak_name),
    fromHex(known.credential),
    (lenBytes) => Buffer.alloc(lenBytes, 0x12),
  );
  const file = concat(fromHex('badcc0de00000001'), credentialBlob, encryptedSecret);
  return differences({ head: hex(file.subarray(0, 80)) }, { head: known.expected_first_80_bytes });
}
