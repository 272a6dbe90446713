/**
 * What may arrive at the registry for somebody who may do everything below mine/ and nothing elsewhere, written from the
 * specifications and sharing nothing with the gateway. Whatever it does not know may not arrive.
 */

export interface RawMessage {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
}

export interface Permitted {
  readonly path: string;
  /** Parameters that may go along, with the values they may have. */
  readonly parameters: ReadonlyMap<string, readonly string[]>;
}

export function permitted(message: RawMessage, goodAuthorization: string): Permitted | undefined {
  return areHeadersGood(message, goodAuthorization) ? permittedTarget(message) : undefined;
}

// --- the target -----------------------------------------------------------------------------------------------------

const word = '[a-z0-9]+(?:(?:[.]|_|__|-+)[a-z0-9]+)*';
const name = `mine(?:/${word})+`;
const isName = new RegExp(`^${name}$`);
const tag = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const isTag = new RegExp(`^${tag}$`);
const digest = '(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})';
const isDigest = new RegExp(`^${digest}$`);

type Parameters = ReadonlyMap<string, readonly string[]>;

interface Shape {
  readonly methods: readonly string[];
  readonly path: RegExp;
  /** Parameters that go along when their values are good; undefined: the whole request is bad. Without it none goes. */
  readonly query?: (given: Parameters, raw: string) => Parameters | undefined;
}

const shapes: readonly Shape[] = [
  { methods: ['GET', 'HEAD', 'DELETE'], path: tail(`manifests/(?:${tag}|${digest})`) },
  {
    methods: ['PUT'],
    path: tail(`manifests/(?:${tag})`),
    query: (given) => (given.has('tag') ? undefined : new Map()),
  },
  {
    methods: ['PUT'],
    path: tail(`manifests/${digest}`),
    query: (given) => pick(given, { tag: (value) => isTag.test(value) }),
  },
  { methods: ['GET', 'HEAD', 'DELETE'], path: tail(`blobs/${digest}`) },
  {
    methods: ['POST'],
    path: tail('blobs/uploads/?'),
    query(given) {
      const picked = pick(given, {
        mount: () => true,
        digest: () => true,
        'digest-algorithm': (value) => ['', 'sha256', 'sha384', 'sha512'].includes(value),
      });
      const [from = ''] = given.get('from') ?? [];
      // A mount from anywhere else is an ordinary upload.
      const isMount = isName.test(from) && from.length <= 255 && !given.has('origin');
      const parameters = new Map(picked);
      // What cannot be used makes an ordinary upload.
      for (const key of ['mount', 'digest']) if (!isDigest.test(parameters.get(key)?.[0] ?? '')) parameters.delete(key);
      if (parameters.get('digest-algorithm')?.[0] === '') parameters.delete('digest-algorithm');
      if (isMount && parameters.has('mount')) parameters.set('from', [from]);
      else parameters.delete('mount');
      return picked && parameters;
    },
  },
  {
    methods: ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE'],
    path: tail('blobs/uploads/(?![.]{1,2}$)[A-Za-z0-9_.=-]{1,128}'),
    query: (given) => pick(given, { digest: (value) => isDigest.test(value) }),
  },
  {
    methods: ['GET'],
    path: tail('tags/list'),
    query: (given) => pick(given, { n: isCount, last: (value) => value.length <= 512 }),
  },
  {
    methods: ['GET', 'HEAD'],
    path: tail(`referrers/${digest}`),
    query: (given) =>
      pick(given, {
        n: isCount,
        last: (value) => value.length <= 512,
        artifactType: (value) => value.length <= 256,
      }),
  },
];

function tail(end: string): RegExp {
  return new RegExp(`^/v2/(${name})/${end}$`);
}

function isCount(value: string): boolean {
  return /^(?:0|[1-9][0-9]*)?$/.test(value);
}

function pick(given: Parameters, known: Readonly<Record<string, (value: string) => boolean>>): Parameters | undefined {
  const parameters = [...given].filter(([key]) => Object.hasOwn(known, key));
  return parameters.every(([key, values]) => values.every((value) => known[key]?.(value)))
    ? new Map(parameters)
    : undefined;
}

function permittedTarget({ method, target }: RawMessage): Permitted | undefined {
  if (target.length > 8192) return undefined;
  const [sent = '', ...queries] = target.split('?');
  const cut = sent.lastIndexOf('/') + 1;
  const path = sent.slice(0, cut) + sent.slice(cut).replace(/%3A/gi, ':');
  for (const shape of shapes) {
    const repository = shape.path.exec(path)?.[1];
    if (repository === undefined || repository.length > 255 || !shape.methods.includes(method)) continue;
    const canonical = path.endsWith('/blobs/uploads') && method === 'POST' ? `${path}/` : path;
    if (shape.query === undefined) return { path: canonical, parameters: new Map() };
    const raw = queries.join('?');
    const given = readQuery(raw, method === 'PUT' && path.includes('/manifests/') ? ['tag'] : []);
    const parameters = given && shape.query(given, raw);
    if (parameters !== undefined) return { path: canonical, parameters };
  }
  return undefined;
}

/** Parameters by name. undefined for a query that two readers could read differently. */
export function readQuery(raw: string, repeatable: readonly string[]): Parameters | undefined {
  if (/[^\x21-\x7e]|[;#\\"<>^`{|}]|%(?![0-9A-Fa-f]{2})/.test(raw)) return undefined;
  const parameters = new Map<string, string[]>();
  for (const [key, value] of new URLSearchParams(raw.startsWith('?') ? `&${raw}` : raw)) {
    // A byte sequence that is no text becomes U+FFFD.
    if (/[\0-\x1f\x7f\ufffd]/.test(key + value)) return undefined;
    const before = parameters.get(key);
    if (before !== undefined && !repeatable.includes(key)) return undefined;
    parameters.set(key, [...(before ?? []), value]);
  }
  return parameters;
}

// --- the headers ----------------------------------------------------------------------------------------------------

const once = /^(?:host|authorization|content-length|content-type|content-range|range|transfer-encoding|expect)$/;

function areHeadersGood({ method, headers }: RawMessage, goodAuthorization: string): boolean {
  if (headers.length > 100) return false;
  const values = new Map<string, string[]>();
  for (const line of headers) {
    const [, key = '', value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line) ?? [];
    if (key === '') return false;
    values.set(key.toLowerCase(), [...(values.get(key.toLowerCase()) ?? []), value.trim()]);
  }
  for (const [key, given] of values) if (once.test(key) && given.length > 1) return false;
  const valueOf = (key: string): string | undefined => values.get(key)?.[0];
  const [length, encoding] = [valueOf('content-length'), valueOf('transfer-encoding')];
  if (!/^[a-z.]+$/.test(valueOf('host') ?? '') || valueOf('authorization') !== goodAuthorization) return false;
  if ((valueOf('expect') ?? '100-continue').toLowerCase() !== '100-continue') return false;
  if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || length !== undefined)) return false;
  if (length !== undefined && !/^[0-9]{1,15}$/.test(length)) return false;
  const hasBody = encoding !== undefined || Number(length ?? 0) > 0;
  const isForm = /^(?:application\/x-www-form-urlencoded|multipart\/)/i.test(valueOf('content-type') ?? '');
  if (isForm && hasBody) return false;
  return !hasBody || ['POST', 'PUT', 'PATCH'].includes(method);
}
