// The leaves that configuration is made of: each says in one phrase what it expects, so that a
// problem reads "is 500; must be ...". No defaults and no section is decided here.
import { isIP } from 'node:net';
import { z } from 'zod';
import { podAddress } from '#proxy/podAddress.ts';
import { networkOf } from '#proxy/range.ts';

/** A group of settings; a key that it does not have is a problem. */
export const section = <S extends z.core.$ZodLooseShape>(shape: S) =>
  z.strictObject(shape, { error: 'must be a section with settings' });

/** A section that is missing or left empty is one with nothing set, so its defaults hold. */
export const present = <S extends z.ZodType>(schema: S) =>
  z.preprocess((value) => value ?? {}, schema);

/** A whole number from `min` to `max`; `unit` completes "must be a whole number". */
export function whole(unit: string, min: number, max: number): z.ZodNumber {
  const error = `must be a whole number${unit && ` of ${unit}`} from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** One of a few words. */
export function oneOf<const W extends readonly [string, ...string[]]>(...words: W) {
  return z.enum(words, { error: `must be ${words.join(' or ')}` });
}

/**
 * A path of a file or directory. A relative one counts from the folder of the configuration file, or
 * from the working directory when it came by environment or flag; after loading it is absolute.
 */
export function path(what: string): z.ZodString {
  const error = `must be the path of ${what}`;
  return z.string({ error }).min(1, { error }).max(4096, { error }).meta({ tidelockPath: true });
}

/** Whether a leaf was made by `path`. */
export const isPath = (schema: z.ZodType): boolean => schema.meta()?.['tidelockPath'] === true;

/** A text that must match `pattern`. */
export function matching(pattern: RegExp, error: string): z.ZodString {
  return z.string({ error }).regex(pattern, { error });
}

const FIRST_PERSISTENT = 0x81000000;
const LAST_OF_OWNER = 0x817fffff;

/** A persistent handle of the owner hierarchy (TPM 2.0 Part 2 7.4). */
export function persistentHandle(): z.ZodNumber {
  const error = 'must be a persistent handle from 0x81000000 to 0x817fffff';
  return z.int({ error }).min(FIRST_PERSISTENT, { error }).max(LAST_OF_OWNER, { error });
}

/** A TCP port. */
export const port = (): z.ZodNumber => whole('', 1, 65_535);

const MAX_RANGES = 64;
const MAX_PORTS = 64;

/** Networks and ports that something does not hold for; `what` says of which. */
export function ranges(what: string) {
  const error = `must be a list of at most ${MAX_RANGES} {network, ports}: ${what}`;
  const range = z.strictObject(
    {
      network: network(),
      ports: z
        .array(port(), { error: 'must be a list of ports' })
        .max(MAX_PORTS, { error: `must have at most ${MAX_PORTS} ports` })
        .default([]),
    },
    { error: 'must be {network, ports}' },
  );
  return z.array(range, { error }).max(MAX_RANGES, { error }).default([]);
}

/** Networks; `what` says of which. */
export function networks(what: string) {
  const error = `must be a list of at most ${MAX_RANGES} networks: ${what}`;
  return z.array(network(), { error }).max(MAX_RANGES, { error }).default([]);
}

const network = () =>
  z.string({ error: NETWORK }).superRefine((text, context) => {
    const found = networkOf(text);
    const message = found === undefined ? NETWORK : `must be the network alone: ${found}`;
    if (found !== text.toLowerCase()) context.addIssue({ code: 'custom', message });
  });

const NETWORK = 'must be an IP address, or a network such as 10.0.0.0/8 or 2001:db8::/32';

/** The address of one host, as other nodes believe it (epochs/directory.ts), in its one form. */
export const hostAddress = (error: string): z.ZodType<string, string> =>
  z
    .string({ error })
    .transform((text) => podAddress(text) ?? '')
    .refine((text) => text !== '', { error });

/** `192.0.2.1:8055` or `[2001:db8::1]:8055`. */
const IP_AND_PORT = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/;

/** The IP address and the TCP port of a text such as `127.0.0.1:8055`; undefined: it is none. */
export function addressAndPort(
  text: string,
): { readonly address: string; readonly port: number } | undefined {
  const [, six, four, digits] = IP_AND_PORT.exec(text) ?? [];
  const address = six ?? four ?? '';
  const port = Number(digits);
  if (isIP(address) !== (six === undefined ? 4 : 6) || port < 1 || port > 65_535) return undefined;
  return { address, port };
}

/** Where to listen, or `off`. */
export function listenAddress(): z.ZodString {
  const error = 'must be IP:PORT such as 127.0.0.1:8055 or [::1]:8055, or off';
  return z.string({ error }).refine(isListenAddress, { error });
}

const isListenAddress = (text: string): boolean =>
  text === 'off' || addressAndPort(text) !== undefined;

const BUS_URL = /^(nats|tls):\/\/[^@\s/]+(:\d{1,5})?$/;

/** A NATS server; credentials in the URL are refused, they would end up in logs. */
export const busUrl = (): z.ZodString =>
  matching(BUS_URL, 'must be nats://HOST:PORT or tls://HOST:PORT, without user and password');

const TCTI = /^(device:\/dev\/[\w/-]+|swtpm:[\w/.=:,-]+)$/;

/** Where the TPM is; attest/ opens it and refuses one that is not on this machine. */
export const tcti = (): z.ZodString =>
  matching(TCTI, 'must be device:/dev/tpmrm0, or swtpm:... of a software TPM on this machine');

const ED25519_CHARS = 43;
const MLDSA65_CHARS = 2603;
const B64URL = /^[A-Za-z0-9_-]+$/;
const OWNER =
  'must be the path of an owner.pub file, or {ed25519, mldsa65} as base64url of the public keys';

/** An owner: the path of an `owner.pub`, or both public keys in place. */
export const owner = () =>
  z.union(
    [
      z.string().min(1).max(4096),
      z.strictObject({
        ed25519: z.string().regex(B64URL).length(ED25519_CHARS),
        mldsa65: z.string().regex(B64URL).length(MLDSA65_CHARS),
      }),
    ],
    { error: OWNER },
  );
