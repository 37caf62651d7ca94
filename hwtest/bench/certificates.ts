// Certificates for the mutual TLS of the bench's peers: one authority, one certificate an end, ECDSA
// P-256, made anew for each run by openssl and gone with the rig.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { run } from '#agent/base/run.ts';

/** Paths of PEM files. */
export interface Certificate {
  readonly key: string;
  readonly certificate: string;
  /** Certificate and key in one file, as HAProxy wants them. */
  readonly bundle: string;
}

export interface Certificates {
  readonly authority: string;
  readonly client: Certificate;
  readonly server: Certificate;
}

/** The name that clients expect in the server's certificate. */
export const SERVER_NAME = 'node-b.bench';

const KEY = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';

/** The directory's path has no space in it. Errors: those of `run`. */
export async function makeCertificates(dir: string): Promise<Certificates> {
  mkdirSync(dir, { mode: 0o700 });
  const request = (name: string, more: string): Promise<unknown> => {
    const files = `-keyout ${dir}/${name}.key -out ${dir}/${name}.crt -subj /CN=${name} -days 2`;
    return run(['openssl', ...`req -x509 ${KEY} ${files} ${more}`.trim().split(' ')]);
  };
  await request('authority', '');
  const issue = async (name: string): Promise<Certificate> => {
    const signer = `-CA ${dir}/authority.crt -CAkey ${dir}/authority.key`;
    const end = `-addext subjectAltName=DNS:${name} -addext basicConstraints=critical,CA:FALSE`;
    await request(name, `${end} ${signer}`);
    const [key, certificate, bundle] = [
      `${dir}/${name}.key`,
      `${dir}/${name}.crt`,
      `${dir}/${name}.pem`,
    ];
    writeFileSync(bundle, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'), {
      mode: 0o600,
    });
    return { key, certificate, bundle };
  };
  return {
    authority: `${dir}/authority.crt`,
    client: await issue('node-a.bench'),
    server: await issue(SERVER_NAME),
  };
}
