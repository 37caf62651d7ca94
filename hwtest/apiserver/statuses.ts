// Answers of an API server that are no object: `Status` bodies in the words that a real one uses
// (k8s.io/apimachinery, api/errors), which clients and people go by. Pure.

/** What an object is: `leases.coordination.k8s.io`. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  /** Lower case, plural. */
  readonly plural: string;
}

export interface Answer {
  readonly code: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, or text as it is. */
  readonly body: unknown;
}

/** `leases.coordination.k8s.io`. */
const qualified = ({ group, plural }: Resource): string => (group ? `${plural}.${group}` : plural);

const status = (
  code: number,
  reason: string,
  message: string,
  details?: Readonly<Record<string, unknown>>,
): Answer => ({
  code,
  body: {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details ? { details } : {}),
    code,
  },
});

const detailsOf = ({ group, plural }: Resource, name: string) => ({
  name,
  ...(group ? { group } : {}),
  kind: plural,
});

export const unauthorized = (): Answer => status(401, 'Unauthorized', 'Unauthorized');

export interface Attempt {
  readonly user: string;
  readonly verb: string;
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
}

export const forbidden = ({ user, verb, resource, namespace, name }: Attempt): Answer =>
  status(
    403,
    'Forbidden',
    `${qualified(resource)}${name && ` ${JSON.stringify(name)}`} is forbidden: User ${JSON.stringify(user)} cannot ${verb} resource ${JSON.stringify(resource.plural)} in API group ${JSON.stringify(resource.group)} in the namespace ${JSON.stringify(namespace)}`,
    detailsOf(resource, name),
  );

export const notFound = (resource: Resource, name: string): Answer =>
  status(
    404,
    'NotFound',
    `${qualified(resource)} ${JSON.stringify(name)} not found`,
    detailsOf(resource, name),
  );

/** Of a path that is no resource. */
export const noSuchPath = (): Answer => ({ code: 404, body: '404 page not found\n' });

export const alreadyExists = (resource: Resource, name: string): Answer =>
  status(
    409,
    'AlreadyExists',
    `${qualified(resource)} ${JSON.stringify(name)} already exists`,
    detailsOf(resource, name),
  );

export const conflict = (resource: Resource, name: string, why = MODIFIED): Answer =>
  status(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(resource)} ${JSON.stringify(name)}: ${why}`,
    detailsOf(resource, name),
  );

const MODIFIED =
  'the object has been modified; please apply your changes to the latest version and try again';

export interface Problem {
  readonly field: string;
  readonly message: string;
}

export const invalid = (
  resource: Resource,
  kind: string,
  name: string,
  problems: readonly Problem[],
): Answer =>
  status(
    422,
    'Invalid',
    `${kind}.${resource.group} ${JSON.stringify(name)} is invalid: ${problems.map(({ field, message }) => `${field}: ${message}`).join(', ')}`,
    {
      ...detailsOf({ ...resource, plural: kind }, name),
      causes: problems.map(({ field, message }) => ({
        reason: 'FieldValueInvalid',
        message,
        field,
      })),
    },
  );

export const badRequest = (message: string): Answer => status(400, 'BadRequest', message);

export const methodNotAllowed = (): Answer =>
  status(
    405,
    'MethodNotAllowed',
    'the server does not allow this method on the requested resource',
    {},
  );

/** Of priority and fairness: plain text, as a real one sends it. */
export const tooMany = (retryAfterSeconds: number): Answer => ({
  code: 429,
  headers: { 'retry-after': String(retryAfterSeconds) },
  body: 'Too many requests, please try again later.\n',
});

export const internal = (why: string): Answer =>
  status(500, 'InternalError', `Internal error occurred: ${why}`, { causes: [{ message: why }] });
