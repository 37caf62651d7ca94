// What whoever reads the memory of this process finds: every byte array and every private key that
// anything still refers to. The inspector lists them after a garbage collection, so neither private
// fields nor closures hide one. What was let go without being overwritten is not in it (PROTOCOL 11).
import { KeyObject } from 'node:crypto';
import { Session } from 'node:inspector';

/** Where the inspector and this module hand objects to each other. */
const HAND = 'tidelockLiveObjects';

/** Everything live that inherits from `prototype`. */
function liveObjects(prototype: object): readonly unknown[] {
  const session = new Session();
  session.connect();
  const post = (method: string, params: object): { readonly [name: string]: Remote } => {
    let answer: { readonly [name: string]: Remote } = {};
    session.post(method, params, (error, result) => {
      if (error) throw error;
      answer = result as typeof answer;
    });
    return answer;
  };
  Reflect.set(globalThis, HAND, prototype);
  const { result } = post('Runtime.evaluate', { expression: `globalThis.${HAND}` });
  const { objects } = post('Runtime.queryObjects', { prototypeObjectId: result?.objectId });
  post('Runtime.callFunctionOn', {
    objectId: objects?.objectId,
    functionDeclaration: `function () { globalThis.${HAND} = this; }`,
  });
  const found = Reflect.get(globalThis, HAND) as readonly unknown[];
  Reflect.deleteProperty(globalThis, HAND);
  session.disconnect();
  return found;
}

interface Remote {
  readonly objectId?: string;
}

/** Copies of every live byte array, of whatever length. */
export const liveBytes = (): Buffer[] =>
  liveObjects(Uint8Array.prototype)
    .filter((found) => ArrayBuffer.isView(found))
    .map((found) => Buffer.copyBytesFrom(found as Uint8Array));

/** Every live private key that node:crypto keeps outside of byte arrays. */
export const livePrivateKeys = (): KeyObject[] =>
  liveObjects(KeyObject.prototype).filter(
    (found): found is KeyObject => found instanceof KeyObject && isPrivate(found),
  );

/** KeyObject.prototype itself inherits from it too, and is no key. */
function isPrivate(found: KeyObject): boolean {
  try {
    return found.type === 'private';
  } catch {
    return false;
  }
}

/** Each distinct run of `length` bytes that is live as an array of its own. */
export const valuesOf = (dump: readonly Buffer[], length: number): Buffer[] => [
  ...new Map(
    dump.filter((bytes) => bytes.length === length).map((bytes) => [bytes.toString('hex'), bytes]),
  ).values(),
];
