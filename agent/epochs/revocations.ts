// Revocations by owners that this node has heard of: the newest of each node, kept on disk, so that a
// bus that forgets one does not bring its node back (PROTOCOL 3.8).
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SigningPublic } from '#agent/base/asymmetric.ts';
import type { NodeName } from '#agent/base/brands.ts';
import { hex, sha256, utf8 } from '#agent/base/bytes.ts';
import { hasCode, messageOf, TidelockError } from '#agent/base/errors.ts';
import type { SignedDocument } from '#agent/base/signed.ts';
import type { Log } from '#agent/log.ts';
import { replaceFile } from '#agent/replaceFile.ts';
import { isNewer, readRevocation, type Revocation } from '#attest/revocation.ts';
import { MESSAGE_BYTES } from './subjects.ts';

export interface RevocationsOptions {
  readonly owners: readonly SigningPublic[];
  readonly domain: string;
  readonly cluster: string;
  /** Made when the first one is kept. */
  readonly directory: string;
  readonly log: Log;
}

interface Held {
  readonly revocation: Revocation;
  /** As it was signed, to be told to others. */
  readonly document: unknown;
}

export interface Taken {
  readonly revocation: Revocation;
  /** False: one of that node, as new, is held already. */
  readonly isNews: boolean;
  /** In the place of which it came. */
  readonly before?: Revocation;
}

/** Owners sign each of them; more than a roster can list. */
const MAX_NODES = 20_000;

export class Revocations {
  readonly #o: RevocationsOptions;
  readonly #held = new Map<NodeName, Held>();

  /** With none; open() reads back those that were kept. */
  constructor(options: RevocationsOptions) {
    this.#o = options;
  }

  /** With those that were kept. A file that is none is reported and passed over. */
  static async open(options: RevocationsOptions): Promise<Revocations> {
    const revocations = new Revocations(options);
    for (const name of await namesIn(options.directory)) await revocations.#readBack(name);
    return revocations;
  }

  /** The newest of a node. */
  of(node: NodeName): Revocation | undefined {
    return this.#held.get(node)?.revocation;
  }

  /** All that are held, as they were signed. */
  documents(): readonly Held[] {
    return [...this.#held.values()];
  }

  /**
   * Takes a revocation. It is on disk when this returns, and every examination that was under way has ended:
   * those that follow refuse the node.
   * Errors: DOCUMENT_MALFORMED, SIGNATURE_INVALID; REVOCATION_REFUSED for another cluster's, or one too many.
   */
  async take(document: unknown): Promise<Taken> {
    const taken = this.#accept(document);
    if (taken.isNews) await this.#keep(taken.revocation, bare(document));
    return taken;
  }

  #accept(document: unknown): Taken {
    const revocation = readRevocation(document, this.#o.owners);
    const { node, domain, cluster } = revocation;
    if (domain !== this.#o.domain || cluster !== this.#o.cluster) {
      throw refused(
        `it is about ${cluster} in ${domain}`,
        'Use the key and names of this cluster.',
      );
    }
    if (JSON.stringify(document).length > MESSAGE_BYTES.revocation) {
      throw refused('it is padded beyond what fits a message', 'Take it as the owner signed it.');
    }
    const held = this.of(node);
    if (held && !isNewer(revocation, held)) return { revocation: held, isNews: false };
    if (!held && this.#held.size >= MAX_NODES) {
      const hint = 'Nodes that are gone for good need none: empty the directory of revocations.';
      throw refused(`${MAX_NODES} nodes are revoked already`, hint);
    }
    this.#held.set(node, { revocation, document: bare(document) });
    return { revocation, isNews: true, ...(held && { before: held }) };
  }

  async #keep({ node }: Revocation, document: unknown): Promise<void> {
    // A node name may be longer than the name of a file.
    const file = join(this.#o.directory, `${hex(sha256(utf8(node)))}${SUFFIX}`);
    try {
      await replaceFile(file, `${JSON.stringify(document, null, 2)}\n`);
    } catch (cause) {
      const text = `${messageOf(cause)}; the revocation of ${node} counts until this agent ends`;
      this.#o.log.error('revocation.unkept', { node, text });
    }
  }

  async #readBack(name: string): Promise<void> {
    const file = join(this.#o.directory, name);
    try {
      this.#accept(JSON.parse(await readFile(file, 'utf8')));
    } catch (cause) {
      const text = `${file} is passed over: ${messageOf(cause)}`;
      this.#o.log.error('revocation.unreadable', { text });
    }
  }
}

const SUFFIX = '.json';

/** What an owner signed, without what anybody may have put beside it, as deep as he likes. */
function bare(document: unknown): SignedDocument {
  const { v, kind, payload, signatures } = document as SignedDocument;
  return {
    v,
    kind,
    payload,
    signatures: signatures.map(({ alg, keyId, sig }) => ({ alg, keyId, sig })),
  };
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    const names = await readdir(directory);
    return names.filter((name) => name.endsWith(SUFFIX) && !name.startsWith('.')).toSorted();
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return [];
    throw new TidelockError('FILE_UNREADABLE', {
      op: 'revocations.open',
      message: `Cannot read the revocations in ${directory}: ${messageOf(cause)}`,
      hint: 'Without them a revoked node might be let in. Make the directory readable for the agent.',
      cause,
    });
  }
}

const refused = (why: string, hint: string): TidelockError =>
  new TidelockError('REVOCATION_REFUSED', {
    op: 'revocation.take',
    message: `Cannot take the revocation: ${why}`,
    hint,
  });
