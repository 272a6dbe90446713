import { Agent, request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseScopes } from '../../src/distribution/scope.ts';
import { makeSecret, secretHash } from '../../src/identity/carried-secret.ts';
import { type Front, credentials, realm, service, startFront } from './support/front.ts';

/**
 * Every route with every kind of credentials under every kind of policy, against a model of a few lines. The routes are
 * those of distribution and zot; what the model does not name must not reach the registry.
 */

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const escaped = encodeURIComponent(digest);
const id = '6a2c4e6f-0f0e-4a44-b0a3-3f2d4c5b6a79';

type Action = 'pull' | 'push' | 'delete' | 'catalog';

interface Row {
  readonly request: string;
  /** Any one of these is enough; none for a route that needs a login alone. */
  readonly actions: readonly Action[];
  readonly scope: string;
  /** As it reaches the registry; undefined for a route that the gateway answers. */
  readonly forwarded: string | undefined;
  readonly mountsFrom?: string;
  /** How it is answered when nothing else is wrong. */
  readonly status?: number;
  /** It is answered so whoever asks. */
  readonly isForNobody?: true;
}

const scopes = {
  pull: 'repository:app/x:pull',
  push: 'repository:app/x:pull,push',
  delete: 'repository:app/x:delete',
} as const;

function on(action: keyof typeof scopes, requests: readonly string[], more: Partial<Row> = {}): readonly Row[] {
  return requests.map((each) => ({
    request: each,
    actions: [action],
    scope: scopes[action],
    forwarded: each.replace(/ \/v2\/app\/x\/blobs\/uploads$/, ' /v2/app/x/blobs/uploads/'),
    ...more,
  }));
}
const uploads = '/v2/app/x/blobs/uploads/';
const readsToPush: Partial<Row> = { actions: ['pull', 'push'] };
const here = (actions: readonly Action[], scope: string, requests: readonly string[]): readonly Row[] =>
  requests.map((each) => ({ request: each, actions, scope, forwarded: undefined, status: 200 }));
const unknown = (status: number, requests: readonly string[]): readonly Row[] =>
  requests.map((each) => ({ request: each, actions: [], scope: '', forwarded: undefined, status }));
const forNobody = (status: number, requests: readonly string[]): readonly Row[] =>
  unknown(status, requests).map((row) => ({ ...row, isForNobody: true }));

const rows: readonly Row[] = [
  ...here([], '', ['GET /v2/', 'HEAD /v2/', 'GET /v2']),
  ...on(
    'pull',
    ['GET', 'HEAD'].flatMap((verb) => [`${verb} /v2/app/x/manifests/1.0`, `${verb} /v2/app/x/manifests/${digest}`]),
    readsToPush,
  ),
  ...on('push', ['PUT /v2/app/x/manifests/1.0', `PUT /v2/app/x/manifests/${digest}`]),
  ...on('push', [`PUT /v2/app/x/manifests/${digest}?tag=a&tag=b`]),
  ...on('delete', [`DELETE /v2/app/x/manifests/${digest}`, 'DELETE /v2/app/x/manifests/1.0']),
  ...on('pull', [`GET /v2/app/x/blobs/${digest}`, `HEAD /v2/app/x/blobs/${digest}`], readsToPush),
  ...on('delete', [`DELETE /v2/app/x/blobs/${digest}`]),
  ...on('push', [`POST ${uploads}`, 'POST /v2/app/x/blobs/uploads']),
  ...on('push', [`POST ${uploads}?digest=${escaped}`, `POST ${uploads}?digest-algorithm=sha512`]),
  ...['open/base', 'closed/base'].flatMap((mountsFrom) =>
    on('push', [`POST ${uploads}?mount=${escaped}&from=${encodeURIComponent(mountsFrom)}`], { mountsFrom }),
  ),
  ...on('push', [`POST ${uploads}?mount=${digest}`], { forwarded: `POST ${uploads}` }),
  ...on(
    'push',
    ['PATCH', 'GET', 'HEAD', 'DELETE'].map((verb) => `${verb} ${uploads}${id}`),
  ),
  ...on('push', [`PATCH ${uploads}${id}?_state=s&session=x`], { forwarded: `PATCH ${uploads}${id}` }),
  ...on('push', [`PUT ${uploads}${id}?digest=${escaped}`]),
  ...on('pull', ['GET /v2/app/x/tags/list', 'GET /v2/app/x/tags/list?n=5&last=a']),
  ...on('pull', [`GET /v2/app/x/referrers/${digest}`, `HEAD /v2/app/x/referrers/${digest}?artifactType=a%2Fb`]),
  ...here(['catalog'], 'registry:catalog:*', [
    'GET /v2/_catalog',
    'GET /v2/_catalog?n=0',
    'GET /v2/_catalog?n=5&last=a',
  ]),
  ...unknown(404, ['GET /v2/_oci/ext/discover', 'GET /v2/app/x/_oci/ext/discover']),
  ...unknown(404, ['GET /v2/_zot/ext/search', 'POST /v2/_zot/ext/search', 'GET /v2/_zot/ext/mgmt']),
  ...unknown(404, ['POST /v2/_zot/ext/notation', 'POST /v2/_zot/ext/cosign', 'PUT /v2/_zot/ext/userprefs']),
  ...unknown(404, ['GET /v2/app/x', 'GET /v2/app/x/manifests', 'POST /v2/app/x/blobs', 'GET /v2/tags/list']),
  ...unknown(405, ['POST /v2/', 'POST /v2/_catalog', 'HEAD /v2/app/x/tags/list', 'POST /v2/app/x/manifests/1.0']).map(
    (row) => ({ ...row, isForNobody: true as const }),
  ),
  ...forNobody(405, ['OPTIONS /v2/', 'OPTIONS /v2/app/x/manifests/1.0', 'TRACE /v2/app/x/manifests/1.0', 'PURGE /v2/']),
  ...forNobody(404, ['GET /', 'GET /zot/auth/login', 'GET /metrics', 'GET /livez', 'GET /swagger/v1/swagger.json']),
  ...forNobody(404, [`GET /extensions/v2/app/x/signatures/${digest}`, 'GET /v1/search?q=x', 'OPTIONS /']),
];

const everything = ['pull', 'push', 'delete', 'catalog'] as const;
/** What the policy allows everybody below app/. */
const policies: readonly (readonly [name: string, allowed: readonly Action[], rules: string])[] = [
  ['nothing', [], ''],
  ...everything.map((action) => [action, [action], rule('allow', [action])] as const),
  ['everything', everything, rule('allow', everything)],
  ['everything and its denial', [], rule('allow', everything) + rule('deny', everything)],
];

function rule(effect: 'allow' | 'deny', actions: readonly Action[]): string {
  const repositories = effect === 'allow' ? 'app/**' : '**';
  return `  - { name: ${effect}, effect: ${effect}, subjects: [everyone], repositories: ['${repositories}'], actions: [${actions.join()}] }\n`;
}

const [puller, pusher] = [makeSecret('robot').text, makeSecret('robot').text];
const robot = (name: string, secret: string, action: Action): string =>
  `  ${name}: { tokens: [{ id: ${name}1, sha256: ${secretHash(secret)}, repositories: ['app/**'], actions: [${action}] }] }\n`;
const robots = `robots:\n${robot('puller', puller, 'pull')}${robot('pusher', pusher, 'push')}`;
const policyText = (rules: string): string =>
  `${robots}rules:\n  - { name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }\n${rules}`;

interface Credential {
  readonly name: string;
  readonly header: (row: Row) => Promise<string | undefined> | string | undefined;
  /** Why it is no credential at all, as the challenge says. */
  readonly refused?: '' | 'invalid_token';
  readonly isAnonymous?: true;
  /** What a robot's secret was made for, and only below app/. */
  readonly madeFor?: Action;
  /** The scope that a token carries. */
  readonly scope?: (row: Row) => string;
}

/** Scopes of the route's own repository, but for an action that it does not need. */
function tooLittle({ actions }: Row): string {
  if (actions.includes('pull')) return 'repository:app/x:delete registry:catalog:*';
  if (actions.includes('push')) return 'repository:app/x:pull,delete registry:catalog:*';
  return 'repository:app/x:pull,push';
}
const exact = ({ scope, mountsFrom }: Row): string =>
  mountsFrom === undefined ? scope : `${scope} repository:${mountsFrom}:pull`;

function token(name: string, account: string, scope: (row: Row) => string, more: Partial<Credential> = {}): Credential {
  return { name, scope, header: (row) => bearer(account, scope(row)), ...more };
}

async function bearer(account: string, scope: string, secondsAgo?: number): Promise<string> {
  const access = parseScopes([scope]);
  if ('reason' in access) throw new Error(access.reason);
  return `Bearer ${await front.sign(account, access, secondsAgo)}`;
}

const accounts: readonly Credential[] = [
  { name: 'none', header: () => undefined, refused: '' },
  { name: 'an unreadable header', header: () => 'Bearer', refused: '' },
  { name: 'a password', header: () => `Basic ${credentials('dana')}` },
  { name: "a robot's secret to pull", header: () => `Basic ${credentials('puller', puller)}`, madeFor: 'pull' },
  { name: "a robot's secret to push", header: () => `Basic ${credentials('pusher', pusher)}`, madeFor: 'push' },
  { name: 'an expired token', header: (row) => bearer('dana', exact(row), 3600), refused: 'invalid_token' },
  { name: "a stranger's token", header: (row) => bearer('nobody', exact(row)), refused: 'invalid_token' },
  token('an anonymous token', '', exact, { isAnonymous: true }),
  token('a token that reaches exactly so far', 'dana', exact),
  token('a token for the target of a mount', 'dana', ({ scope }) => scope),
  token('a token that carries too little', 'dana', tooLittle),
  token('a token for the repository next door', 'dana', () => 'repository:app/y:pull,push,delete'),
  token('a token for nothing', 'dana', () => ''),
];

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly challenge: string | undefined;
  readonly forwarded: readonly string[];
}

/** What must become of a request: the whole contract between credentials, token, policy and route. */
function expected(row: Row, credential: Credential, allowed: readonly Action[]): Answer {
  const isHead = row.request.startsWith('HEAD ');
  const answer = (status: number, code?: string, challenge?: string): Answer => ({
    status,
    code: isHead ? undefined : code,
    challenge,
    forwarded: [],
  });
  const challenge = (scope: string, error: string): Answer => {
    const parts = [`Bearer realm="${realm}"`, `service="${service}"`];
    const more = [...(scope === '' ? [] : [`scope="${scope}"`]), ...(error === '' ? [] : [`error="${error}"`])];
    return answer(401, 'UNAUTHORIZED', [...parts, ...more].join());
  };
  const { actions, status = 0, mountsFrom } = row;
  const scope = exact(row);
  const { madeFor, refused } = credential;
  if (row.isForNobody) return answer(status, 'UNSUPPORTED');
  if (refused !== undefined) return challenge(scope, refused);
  if (status > 299) return answer(status, 'UNSUPPORTED');
  if (actions.length > 0) {
    const isAllowed = actions.some((action) => allowed.includes(action));
    const isMadeFor = madeFor === undefined || actions.includes(madeFor);
    if (!isAllowed || !isMadeFor) {
      if (credential.isAnonymous) return challenge(scope, 'insufficient_scope');
      // Clients go on to the request whose refusal they print.
      return answer(/^HEAD .*\/blobs\/sha/.test(row.request) ? 404 : 403, 'DENIED');
    }
    const carried = credential.scope?.(row);
    const reaches = (repository: string, action: string): boolean =>
      carried === undefined ||
      carried.split(' ').some((each) => new RegExp(`^repository:${repository}:(?:.*,)?${action}(?:,|$)`).test(each));
    const isCatalog = actions.includes('catalog');
    const carriesCatalog = carried?.includes('registry:catalog:*') ?? true;
    if (isCatalog ? !carriesCatalog : !actions.some((action) => reaches('app/x', action))) {
      return challenge(scope, 'insufficient_scope');
    }
    if (mountsFrom !== undefined) {
      const isReadable = mountsFrom === 'open/base' && madeFor === undefined;
      if (!isReadable) return { ...answer(201), forwarded: [`POST ${uploads}`] };
      if (!reaches(mountsFrom, 'pull')) return challenge(scope, 'insufficient_scope');
    }
  }
  if (row.forwarded === undefined) return answer(status);
  const verb = row.request.split(' ', 1)[0] ?? '';
  const said = verb === 'GET' || verb === 'HEAD' ? 200 : verb === 'DELETE' ? 202 : 201;
  return { ...answer(said), forwarded: [row.forwarded] };
}

let front: Front;
const agent = new Agent({ keepAlive: true });
let addresses = 0;
beforeAll(async () => {
  const env = { PORTCULLIS_TRUSTED_PROXIES: '127.0.0.1' };
  front = await startFront({ rules: policyText(''), repositories: ['app/x'], env });
});
afterAll(async () => {
  agent.destroy();
  await front.close();
});

/** Each from an address of its own, so that no refusal has to do with those before it. */
async function ask(row: Row, header: string | undefined): Promise<Answer> {
  const [method = '', path = ''] = row.request.split(' ');
  const mark = front.forwarded.length;
  addresses++;
  const headers = {
    'x-forwarded-for': `10.${addresses >> 16}.${(addresses >> 8) & 255}.${addresses & 255}`,
    ...(header === undefined ? {} : { authorization: header }),
  };
  const [status, challenge, text] = await new Promise<[number, string | undefined, string]>((resolve, reject) => {
    const asking = request(front.url + path, { method, headers, agent }, (reply) => {
      let body = '';
      reply.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      reply.on('end', () => resolve([reply.statusCode ?? 0, reply.headers['www-authenticate'], body]));
    });
    asking.on('error', reject).end();
  });
  const code = /"code":"([A-Z_]+)"/.exec(text)?.[1];
  return { status, code, challenge, forwarded: front.forwarded.slice(mark) };
}

describe.each(policies)('where the policy allows %s', (_name, allowed, rules) => {
  beforeAll(() => front.setPolicy(policyText(rules)));

  test.each(rows)('$request', async (row) => {
    for (const credential of accounts) {
      const answered = await ask(row, await credential.header(row));
      expect(answered, credential.name).toEqual(expected(row, credential, allowed));
    }
  });
});

test.each(rows)('$request is closed to a wrong password, where the policy allows everything', async (row) => {
  const wrong: Credential = { name: 'a wrong password', header: () => undefined, refused: '' };
  // As many failures of one account, each from elsewhere, would be an attack on it.
  const account = rows.indexOf(row) % 2 === 0 ? 'dana' : 'tess';
  expect(await ask(row, `Basic ${credentials(account, 'wrong')}`)).toEqual(expected(row, wrong, everything));
});
