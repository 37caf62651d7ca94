// What `tidelock why` is asked: a pod and, when it is about a connection, where that should go. Read the
// same way by the command line and by the agent.
import { isIP } from 'node:net';
import { TidelockError } from '#agent/base/errors.ts';
import { canonicalAddress } from '#proxy/see/address.ts';

export interface Destination {
  /** An address in its one form, or what a pod is called: see `Question.pod`. */
  readonly name: string;
  readonly port?: number;
}

export interface Question {
  /** `namespace/name`, a name alone, a uid, an address or a SPIFFE ID. */
  readonly pod: string;
  readonly to?: Destination;
}

const MAX_CHARS = 2_048;
const NAME = /^[\w:/[\].-]+$/;
const BRACKETED = /^\[(?<name>[^\]]+)\](?::(?<port>\d{1,5}))?$/;
const WITH_PORT = /^(?<name>.+):(?<port>\d{1,5})$/;

/** Errors: USAGE, which names the word that is no pod and no destination. */
export function readQuestion(pod: string, to?: string): Question {
  if (!isName(pod)) throw refused(`${JSON.stringify(pod.slice(0, 80))} names no pod`);
  const name = canonicalAddress(pod) ?? pod;
  if (to === undefined) return { pod: name };
  const destination = isName(to) ? readDestination(to) : undefined;
  if (!destination) {
    throw refused(`${JSON.stringify(to.slice(0, 80))} names no destination`);
  }
  return { pod: name, to: destination };
}

const isName = (text: string): boolean => text.length <= MAX_CHARS && NAME.test(text);

/** An IPv6 address takes a port in the form `[address]:port` only (RFC 3986 3.2.2). */
function readDestination(text: string): Destination | undefined {
  if (isIP(text)) return { name: canonicalAddress(text) ?? text };
  const { name, port } = (BRACKETED.exec(text) ?? WITH_PORT.exec(text))?.groups ?? { name: text };
  if (name === undefined || (text.startsWith('[') && isIP(name) !== 6)) return undefined;
  if (isIP(name) === 6 && !text.startsWith('[')) return undefined;
  const number = port === undefined ? undefined : Number(port);
  if (number !== undefined && (number < 1 || number > 65_535)) return undefined;
  return {
    name: canonicalAddress(name) ?? name,
    ...(number === undefined ? {} : { port: number }),
  };
}

/** The question as a person would write it. */
export function questionText({ pod, to }: Question): string {
  if (!to) return pod;
  const name = to.port !== undefined && isIP(to.name) === 6 ? `[${to.name}]` : to.name;
  return `${pod} to ${name}${to.port === undefined ? '' : `:${to.port}`}`;
}

const refused = (state: string): TidelockError =>
  new TidelockError('USAGE', {
    op: 'why.read',
    message: `Cannot ask why: ${state}`,
    hint: 'A pod is NAMESPACE/NAME, a uid, an address or a SPIFFE ID; a destination is one of these with :PORT where the port matters, [ADDRESS]:PORT for IPv6.',
  });
