// What the stand-in keeps: objects of one resource by namespace and name, each with uid and resourceVersion. It owns
// create, get and update with the conflicts of a real API server; what an object may say is its kind's.
import { randomUUID } from 'node:crypto';
import {
  alreadyExists,
  badRequest,
  conflict,
  invalid,
  notFound,
  type Answer,
  type Problem,
  type Resource,
} from './statuses.ts';

export interface StoredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly [member: string]: unknown;
}

export interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A kind of object, and what of it is checked. Another one is another file like leases.ts. */
export interface Kind {
  readonly resource: Resource;
  readonly apiVersion: string;
  readonly kind: string;
  /** Whether a PUT makes what is not there. */
  readonly allowCreateOnUpdate: boolean;
  /** Text that no decoder would take: an answer of 400. */
  readonly undecodable: (object: Readonly<Record<string, unknown>>) => string | undefined;
  readonly problems: (object: Readonly<Record<string, unknown>>) => readonly Problem[];
}

type Parsed = Readonly<Record<string, unknown>> & {
  readonly metadata: Partial<Metadata> & { readonly name: string };
};

/** etcd counts one revision for all objects. */
export class Revisions {
  #last = 1000;
  next(): string {
    this.#last += 1;
    return String(this.#last);
  }
}

export class Objects {
  readonly kind: Kind;
  readonly #revisions: Revisions;
  readonly #kept = new Map<string, StoredObject>();

  constructor(kind: Kind, revisions: Revisions) {
    this.kind = kind;
    this.#revisions = revisions;
  }

  get(namespace: string, name: string): Answer {
    const found = this.#kept.get(`${namespace}/${name}`);
    return found ? { code: 200, body: found } : notFound(this.kind.resource, name);
  }

  create(namespace: string, body: unknown): Answer {
    const { object, refused } = this.#parsed(body, namespace);
    if (!object) return refused;
    const { name } = object.metadata;
    if (object.metadata.resourceVersion) {
      return badRequest('resourceVersion should not be set on objects to be created');
    }
    if (this.#kept.has(`${namespace}/${name}`)) return alreadyExists(this.kind.resource, name);
    return this.#write(namespace, object, undefined);
  }

  update(namespace: string, name: string, body: unknown): Answer {
    const { object, refused } = this.#parsed(body, namespace);
    if (!object) return refused;
    const { resource } = this.kind;
    const { uid, resourceVersion } = object.metadata;
    if (object.metadata.name !== name) {
      return badRequest(
        `the name of the object (${object.metadata.name}) does not match the name on the URL (${name})`,
      );
    }
    const before = this.#kept.get(`${namespace}/${name}`);
    if (uid !== undefined && uid !== before?.metadata.uid) {
      return conflict(
        resource,
        name,
        `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before?.metadata.uid ?? ''}`,
      );
    }
    if (!before) {
      return this.kind.allowCreateOnUpdate
        ? this.#write(namespace, object, undefined)
        : notFound(resource, name);
    }
    if (!resourceVersion) {
      const field = 'metadata.resourceVersion';
      const message = 'Invalid value: 0: must be specified for an update';
      return invalid(resource, this.kind.kind, name, [{ field, message }]);
    }
    if (resourceVersion !== before.metadata.resourceVersion) return conflict(resource, name);
    return this.#write(namespace, object, before);
  }

  /** Puts an object there as it is, whoever it is of and whatever it says: as etcd restored, or kubectl edit. */
  force(namespace: string, name: string, object: Readonly<Record<string, unknown>>): void {
    const before = this.#kept.get(`${namespace}/${name}`);
    const parsed = {
      ...object,
      metadata: { ...(object['metadata'] as Partial<Metadata> | undefined), name },
    };
    this.#keep(namespace, parsed, before);
  }

  remove(namespace: string, name: string): void {
    this.#kept.delete(`${namespace}/${name}`);
  }

  #parsed(
    body: unknown,
    namespace: string,
  ):
    | { readonly object: Parsed; readonly refused?: never }
    | { readonly object?: never; readonly refused: Answer } {
    const { apiVersion, kind, resource } = this.kind;
    const given = body as Partial<Parsed> | null | undefined;
    if (given?.['apiVersion'] !== apiVersion || given['kind'] !== kind) {
      const refused = badRequest(`the object provided is unrecognized (must be of type ${kind})`);
      return { refused };
    }
    const { metadata } = given;
    if (metadata?.namespace !== undefined && metadata.namespace !== namespace) {
      const refused = badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      );
      return { refused };
    }
    const undecodable = this.kind.undecodable(given);
    if (undecodable !== undefined) {
      const version = apiVersion.split('/').at(-1);
      const refused = badRequest(
        `${kind} in version "${version}" cannot be handled as a ${kind}: ${undecodable}`,
      );
      return { refused };
    }
    if (!metadata?.name) {
      const message = 'Required value: name or generateName is required';
      return { refused: invalid(resource, kind, '', [{ field: 'metadata.name', message }]) };
    }
    return { object: { ...given, metadata: { ...metadata, name: metadata.name } } };
  }

  #write(namespace: string, object: Parsed, before: StoredObject | undefined): Answer {
    const { resource, kind } = this.kind;
    const problems = this.kind.problems(object);
    if (problems.length > 0) return invalid(resource, kind, object.metadata.name, problems);
    return { code: before ? 200 : 201, body: this.#keep(namespace, object, before) };
  }

  #keep(namespace: string, object: Parsed, before: StoredObject | undefined): StoredObject {
    const { apiVersion, kind } = this.kind;
    const { name, annotations, labels } = object.metadata;
    const stored: StoredObject = {
      ...object,
      apiVersion,
      kind,
      metadata: {
        name,
        namespace,
        uid: before?.metadata.uid ?? randomUUID(),
        resourceVersion: this.#revisions.next(),
        creationTimestamp:
          before?.metadata.creationTimestamp ?? `${new Date().toISOString().slice(0, -5)}Z`,
        ...(annotations ? { annotations } : {}),
        ...(labels ? { labels } : {}),
      },
    };
    this.#kept.set(`${namespace}/${name}`, stored);
    return stored;
  }
}
