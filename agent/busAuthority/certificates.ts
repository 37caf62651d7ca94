// Certificates of the servers of a bus: one authority, one certificate a server, ECDSA P-256, made by openssl, whose
// configuration is given whole so that the machine's own says nothing.
import { rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { run } from '#agent/base/run.ts';

/** An authority lasts longer than whoever makes it wants to think about it; what it is for is replaced before. */
const AUTHORITY_DAYS = 3650;
const SERVER_DAYS = 1825;

/** Writes `<dir>/ca.pem` and, for its owner alone, `keyFile`. Errors: those of `run`. */
export const makeAuthorityCertificate = (certificateFile: string, keyFile: string): Promise<void> =>
  request(certificateFile, keyFile, AUTHORITY_DAYS, 'tidelock bus', [
    'basicConstraints = critical,CA:TRUE,pathlen:0',
    'keyUsage = critical,keyCertSign,cRLSign',
  ]);

/** A certificate of the server at `host`, a DNS name or an address: to clients, and to the other servers. */
export const makeServerCertificate = (
  host: string,
  [certificateFile, keyFile]: readonly [string, string],
  [authorityFile, authorityKeyFile]: readonly [string, string],
): Promise<void> =>
  request(
    certificateFile,
    keyFile,
    SERVER_DAYS,
    'tidelock bus server',
    [
      'basicConstraints = critical,CA:FALSE',
      'keyUsage = critical,digitalSignature',
      'extendedKeyUsage = serverAuth,clientAuth',
      `subjectAltName = ${isIP(host) === 0 ? 'DNS' : 'IP'}:${host}`,
      'authorityKeyIdentifier = keyid',
    ],
    ['-CA', authorityFile, '-CAkey', authorityKeyFile],
  );

async function request(
  certificateFile: string,
  keyFile: string,
  days: number,
  name: string,
  extensions: readonly string[],
  signer: readonly string[] = [],
): Promise<void> {
  const config = [
    '[req]',
    'prompt = no',
    'distinguished_name = name',
    'x509_extensions = extensions',
    '[name]',
    `CN = ${name}`,
    '[extensions]',
    'subjectKeyIdentifier = hash',
    ...extensions,
    '',
  ].join('\n');
  const configFile = `${keyFile}.cnf`; // openssl reads it by its name alone
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    keyFile,
  ];
  const made = ['-out', certificateFile, '-days', String(days), '-config', configFile];
  await writeFile(configFile, config, { mode: 0o600 });
  try {
    await run(['openssl', 'req', '-x509', ...key, ...made, ...signer]);
  } finally {
    await rm(configFile);
  }
}
