import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Access } from '../../src/distribution/access.ts';
import type { Credentials } from '../../src/distribution/credentials.ts';
import { parseRoute } from '../../src/distribution/route.ts';
import { formatTarget } from '../../src/distribution/target.ts';
import { formatScopes } from '../../src/distribution/scope.ts';
import { type AdmitParts, admit, refusalSentence } from '../../src/gate/admit.ts';
import type { CompiledPolicy, Decision } from '../../src/policy/evaluate.ts';
import { type AccessTokens, createAccessTokens } from '../../src/token/access-token.ts';
import { makeSecret, secretHash } from '../../src/identity/carried-secret.ts';
import type { Passwords } from '../../src/identity/password.ts';
import type { LoginGuard } from '../../src/identity/login-guard.ts';
import { createUploadTickets, maxUploadSeconds } from '../../src/sealed/upload-ticket.ts';
import { type IdentitySetup, identityOf } from '../support/identity.ts';
import { makeKey, ringOf } from '../support/keys.ts';
import { anonymous, compile, user } from '../support/policies.ts';

const now = Date.parse('2026-06-01T12:00:00Z');
const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const id = '6a2c4e6f-0f0e-4a44-b0a3-3f2d4c5b6a79';
const hash = `'$argon2id$v=19$m=8192,t=1,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}'`;

const people = `
groups: { devs: , guests: }
users:
  dana: { password: ${hash}, groups: [devs] }
  tess: { password: ${hash} }
`;
const rules = `
rules:
  - { name: share, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull, push, delete] }
  - { name: fill, subjects: ['group:devs'], repositories: ['inbox/**'], actions: [push] }
  - { name: read, subjects: ['group:devs'], repositories: ['release/**', 'library/**'], actions: [pull] }
  - { name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }
  - { name: list, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [catalog] }
  - { name: frozen, effect: deny, subjects: [everyone], repositories: ['sandbox/frozen'], actions: [push] }
`;

let keys: ReturnType<typeof ringOf>;
let tokens: AccessTokens;
let setup: IdentitySetup;
let parts: AdmitParts;
let policy: CompiledPolicy;
let clock: number;
let busy: boolean;
beforeAll(async () => {
  keys = ringOf(await makeKey());
  tokens = createAccessTokens({ keys, issuer: 'https://r.example.com', service: 'r.example.com', ttlSeconds: 300 });
});
beforeEach(() => {
  policy = compile(people, rules);
  clock = now;
  busy = false;
  // Passwords are compared as text here; test/token is about hashing.
  const passwords: Passwords = {
    verify: (_policy, stored, password) =>
      Promise.resolve(busy ? 'busy' : stored !== undefined && password === 'secret' ? 'match' : 'mismatch'),
  };
  setup = { tokens, policies: { current: () => policy }, clock: () => clock, service: 'r.example.com', passwords };
  parts = { identity: identityOf(setup), tickets: createUploadTickets(keys), clock: () => clock };
});

const none: Credentials = { kind: 'none' };
const basic = (account: string, password = 'secret'): Credentials => ({ kind: 'basic', account, password });
/** A token for `account` ('' for anonymous) with scopes as in a challenge. */
async function bearer(account: string, scopes = ''): Promise<Credentials> {
  const access = scopes
    .split(' ')
    .filter((scope) => scope !== '')
    .map((scope): Access => {
      const [type = '', name = '', actions = ''] = scope.split(':');
      return { type: type as Access['type'], name, actions: actions.split(',') as Access['actions'][number][] };
    });
  const credential = policy.policy.users.get(account)?.password?.text;
  return { kind: 'bearer', token: await tokens.sign(account, access, Math.floor(now / 1000), { credential }) };
}

/** What becomes of a request, in one line. */
async function outcome(request: string, credentials: Credentials, address?: string): Promise<string> {
  const [method = '', target = ''] = request.split(' ');
  const admission = await admit(parts, { parsed: parseRoute(method, target), credentials, address });
  switch (admission.kind) {
    case 'admitted':
      return `admitted ${formatTarget(admission.route)}`;
    case 'challenged': {
      const { reason, access, error } = admission;
      return ['challenged', reason, formatScopes(access), error ?? ''].filter((part) => part !== '').join(' ');
    }
    case 'denied':
      return `denied ${refusalSentence(admission.caller, admission.need, admission.decision)}`;
    case 'unusable':
      return `unusable ${admission.problem.reason}`;
    case 'busy':
    case 'held':
    case 'unavailable':
    case 'id-token':
      return admission.kind;
  }
}

const pullSandbox = 'GET /v2/sandbox/app/manifests/1.0';
const pushSandbox = 'PUT /v2/sandbox/app/manifests/1.0';
const upload = 'POST /v2/sandbox/app/blobs/uploads/';

/** One request on each route of the API, with the scope that its challenge must name. */
const everyRoute: readonly (readonly [request: string, scope: string])[] = [
  ['GET /v2/', ''],
  ['GET /v2/_catalog', 'registry:catalog:*'],
  ['GET /v2/no/such/tags/list', 'repository:no/such:pull'],
  ['GET /v2/no/such/manifests/1.0', 'repository:no/such:pull'],
  ['HEAD /v2/no/such/manifests/1.0', 'repository:no/such:pull'],
  ['PUT /v2/no/such/manifests/1.0', 'repository:no/such:pull,push'],
  ['DELETE /v2/no/such/manifests/1.0', 'repository:no/such:delete'],
  [`DELETE /v2/no/such/manifests/${digest}`, 'repository:no/such:delete'],
  [`GET /v2/no/such/blobs/${digest}`, 'repository:no/such:pull'],
  [`HEAD /v2/no/such/blobs/${digest}`, 'repository:no/such:pull'],
  [`DELETE /v2/no/such/blobs/${digest}`, 'repository:no/such:delete'],
  ['POST /v2/no/such/blobs/uploads/', 'repository:no/such:pull,push'],
  [
    `POST /v2/no/such/blobs/uploads/?mount=${digest}&from=library/base`,
    'repository:no/such:pull,push repository:library/base:pull',
  ],
  [`GET /v2/no/such/blobs/uploads/${id}`, 'repository:no/such:pull,push'],
  [`PATCH /v2/no/such/blobs/uploads/${id}`, 'repository:no/such:pull,push'],
  [`PUT /v2/no/such/blobs/uploads/${id}`, 'repository:no/such:pull,push'],
  [`DELETE /v2/no/such/blobs/uploads/${id}`, 'repository:no/such:pull,push'],
  [`GET /v2/no/such/referrers/${digest}`, 'repository:no/such:pull'],
];

describe('on every route', () => {
  test.each(everyRoute)(
    '%s asks for credentials where none are given, the same whatever exists',
    async (request, scope) => {
      expect(await outcome(request, none)).toBe(
        ['challenged credentials_missing', scope].filter((part) => part !== '').join(' '),
      );
      expect(await outcome(request.replace('no/such', 'open/app'), none)).toBe(
        ['challenged credentials_missing', scope.replace('no/such', 'open/app')]
          .filter((part) => part !== '')
          .join(' '),
      );
    },
  );

  test.each(everyRoute)('%s refuses a wrong password, never serving as anonymous instead', async (request, scope) => {
    const with_ = (reason: string): string => ['challenged', reason, scope].filter((part) => part !== '').join(' ');
    expect(await outcome(request, basic('dana', 'wrong'))).toBe(with_('password_wrong'));
    expect(await outcome(request, basic('nobody'))).toBe(with_('account_unknown'));
    expect(await outcome(request, { kind: 'malformed' })).toBe(with_('credentials_malformed'));
  });

  test.each(everyRoute)('%s refuses a token that is not ours', async (request, scope) => {
    const expected = ['challenged token_invalid', scope, 'invalid_token'].filter((part) => part !== '').join(' ');
    expect(await outcome(request, { kind: 'bearer', token: 'a.b.c' })).toBe(expected);
  });

  test.each(everyRoute.filter(([request]) => !request.endsWith('/v2/')))(
    '%s is closed to an account without any rule, and to a token that carries more than the policy gives',
    async (request, scope) => {
      expect(await outcome(request, basic('tess'))).toMatch(/^denied user "tess" may not /);
      expect(await outcome(request, await bearer('tess', scope))).toMatch(
        /^denied user "tess" may not .*: no rule allows it$/,
      );
    },
  );

  test.each(everyRoute.filter(([request]) => !request.endsWith('/v2/')))(
    '%s challenges an anonymous token: a login may help',
    async (request, scope) => {
      expect(await outcome(request, await bearer('', scope))).toBe(
        `challenged anonymous_refused ${scope} insufficient_scope`,
      );
    },
  );
});

describe('the situations of the contract', () => {
  const cases: readonly (readonly [
    promise: string,
    request: string,
    credentials: () => Credentials | Promise<Credentials>,
    outcome: string,
  ])[] = [
    ['the ping takes any valid token', 'GET /v2/', () => bearer('dana'), 'admitted /v2/'],
    ['the ping takes an anonymous token', 'GET /v2/', () => bearer(''), 'admitted /v2/'],
    ['the ping takes a right password', 'HEAD /v2', () => basic('dana'), 'admitted /v2/'],
    [
      'a token that reaches far enough is admitted',
      pullSandbox,
      () => bearer('dana', 'repository:sandbox/app:pull'),
      'admitted /v2/sandbox/app/manifests/1.0',
    ],
    [
      'a right password reaches as far as the policy',
      pushSandbox,
      () => basic('dana'),
      'admitted /v2/sandbox/app/manifests/1.0',
    ],
    [
      'a right password reaches no further',
      'PUT /v2/release/app/manifests/1.0',
      () => basic('dana'),
      'denied user "dana" may not push release/app:1.0: no rule allows it',
    ],
    [
      'a token without scope is too narrow where the policy would allow',
      pullSandbox,
      () => bearer('dana'),
      'challenged scope_insufficient repository:sandbox/app:pull insufficient_scope',
    ],
    [
      'a token to pull is too narrow to push',
      pushSandbox,
      () => bearer('dana', 'repository:sandbox/app:pull'),
      'challenged scope_insufficient repository:sandbox/app:pull,push insufficient_scope',
    ],
    [
      'a token to push and pull is too narrow to delete',
      'DELETE /v2/sandbox/app/manifests/1.0',
      () => bearer('dana', 'repository:sandbox/app:pull,push'),
      'challenged scope_insufficient repository:sandbox/app:delete insufficient_scope',
    ],
    [
      'a token for another repository is too narrow',
      pullSandbox,
      () => bearer('dana', 'repository:sandbox/other:pull,push,delete'),
      'challenged scope_insufficient repository:sandbox/app:pull insufficient_scope',
    ],
    [
      'a token for a longer name is too narrow',
      pullSandbox,
      () => bearer('dana', 'repository:sandbox/app/x:pull repository:sandbox:pull'),
      'challenged scope_insufficient repository:sandbox/app:pull insufficient_scope',
    ],
    [
      'a star in a token means nothing for a repository',
      pullSandbox,
      () => bearer('dana', 'repository:sandbox/app:*'),
      'challenged scope_insufficient repository:sandbox/app:pull insufficient_scope',
    ],
    [
      'a token for the catalog says nothing about a repository of that name',
      'GET /v2/catalog/manifests/x',
      () => bearer('dana', 'registry:catalog:*'),
      'denied user "dana" may not pull catalog:x: no rule allows it',
    ],
    [
      'the policy says no whatever the token carries',
      'PUT /v2/release/app/manifests/1.0',
      () => bearer('dana', 'repository:release/app:pull,push'),
      'denied user "dana" may not push release/app:1.0: no rule allows it',
    ],
    [
      'the policy says no before a token is called too narrow',
      'PUT /v2/release/app/manifests/1.0',
      () => bearer('dana'),
      'denied user "dana" may not push release/app:1.0: no rule allows it',
    ],
    [
      'a rule that denies is told apart',
      'PUT /v2/sandbox/frozen/manifests/1.0',
      () => basic('dana'),
      'denied user "dana" may not push sandbox/frozen:1.0: a rule forbids it',
    ],
    [
      'a repository is named without a tag where the request names none',
      `DELETE /v2/release/app/blobs/${digest}`,
      () => basic('dana'),
      'denied user "dana" may not delete release/app: no rule allows it',
    ],
    [
      'the catalog has a sentence of its own',
      'GET /v2/_catalog',
      () => basic('tess'),
      'denied user "tess" may not list the catalog: no rule allows it',
    ],
    [
      'anonymous pulls what everyone may',
      'GET /v2/open/app/manifests/1.0',
      () => bearer('', 'repository:open/app:pull'),
      'admitted /v2/open/app/manifests/1.0',
    ],
    [
      'anonymous needs a token that says so',
      'GET /v2/open/app/manifests/1.0',
      () => bearer(''),
      'challenged scope_insufficient repository:open/app:pull insufficient_scope',
    ],
    [
      'the catalog needs its scope',
      'GET /v2/_catalog',
      () => bearer('dana'),
      'challenged scope_insufficient registry:catalog:* insufficient_scope',
    ],
    [
      'a star for a repository called catalog is not its scope',
      'GET /v2/_catalog',
      () => bearer('dana', 'repository:catalog:*'),
      'challenged scope_insufficient registry:catalog:* insufficient_scope',
    ],
    [
      'the catalog is admitted with it',
      'GET /v2/_catalog?n=5',
      () => bearer('dana', 'registry:catalog:*'),
      'admitted /v2/_catalog?n=5',
    ],
    [
      'a token to push reads manifests while pushing',
      pullSandbox,
      () => bearer('dana', 'repository:sandbox/app:push'),
      'admitted /v2/sandbox/app/manifests/1.0',
    ],
    [
      'a rule to push reads blobs while pushing',
      `HEAD /v2/inbox/app/blobs/${digest}`,
      () => bearer('dana', 'repository:inbox/app:pull,push'),
      `admitted /v2/inbox/app/blobs/${digest}`,
    ],
    [
      'a rule to push does not list tags',
      'GET /v2/inbox/app/tags/list',
      () => basic('dana'),
      'denied user "dana" may not pull inbox/app: no rule allows it',
    ],
    [
      'a token to push does not list tags',
      'GET /v2/sandbox/app/tags/list',
      () => bearer('dana', 'repository:sandbox/app:push'),
      'challenged scope_insufficient repository:sandbox/app:pull insufficient_scope',
    ],
    [
      'a token to push does not list referrers',
      `GET /v2/sandbox/app/referrers/${digest}`,
      () => bearer('dana', 'repository:sandbox/app:push'),
      'challenged scope_insufficient repository:sandbox/app:pull insufficient_scope',
    ],
    [
      'watching an upload needs push: its state is a signed key',
      `GET /v2/release/app/blobs/uploads/${id}`,
      () => basic('dana'),
      'denied user "dana" may not push release/app: no rule allows it',
    ],
    [
      'cancelling an upload needs push, not delete',
      `DELETE /v2/inbox/app/blobs/uploads/${id}`,
      () => basic('dana'),
      `admitted /v2/inbox/app/blobs/uploads/${id}`,
    ],
    [
      'a bad name is told only to who has proved an identity',
      'GET /v2/Bad/tags/list',
      () => none,
      'challenged credentials_missing',
    ],
    [
      'a bad name is told to anybody with an identity',
      'GET /v2/Bad/tags/list',
      () => bearer(''),
      'unusable name_invalid',
    ],
    ['an unknown route asks for credentials first', 'GET /v2/a/unknown', () => none, 'challenged credentials_missing'],
    ['an unknown route is told then', 'GET /v2/a/unknown', () => basic('dana'), 'unusable route_unknown'],
  ];
  test.each(cases)('%s', async (_promise, request, credentials, expected) => {
    expect(await outcome(request, await credentials())).toBe(expected);
  });

  test('every tag of a push by digest is judged', async () => {
    policy = compile(
      people,
      `
rules:
  - { name: dev, subjects: ['user:dana'], repositories: [app], tags: ['dev-*'], actions: [push] }`,
    );
    expect(await outcome(`PUT /v2/app/manifests/${digest}?tag=dev-1&tag=dev-2`, basic('dana'))).toMatch(/^admitted/);
    expect(await outcome(`PUT /v2/app/manifests/${digest}?tag=dev-1&tag=v1`, basic('dana'))).toBe(
      'denied user "dana" may not push app:v1: no rule allows it',
    );
  });

  test('more logins than can be hashed in time are neither admitted nor refused', async () => {
    busy = true;
    expect(await outcome(pullSandbox, basic('dana'))).toBe('busy');
    expect(await outcome(pullSandbox, await bearer('dana', 'repository:sandbox/app:pull'))).toMatch(/^admitted/);
  });

  describe('somebody who failed to log in too often', () => {
    const id = '3b5f4c9e-7d0a-4a51-8f6e-2f0d3f1f9a11';
    const step = (account: string, uploadId = id): string => {
      const upload = { repository: 'sandbox/app', uploadId, account };
      return `PATCH /v2/sandbox/app/blobs/uploads/${id}?_portcullis=${parts.tickets.seal(upload, now / 1000)}`;
    };
    beforeEach(() => {
      const guard: LoginGuard = {
        attempt: ({ isExcused }, verify) => (isExcused ? verify() : Promise.resolve({ by: 'account', waitMs: 8000 })),
      };
      parts = { ...parts, identity: identityOf({ ...setup, guard }) };
    });

    test('is held back with a password, and goes on with a token', async () => {
      expect(await outcome(pullSandbox, basic('dana'))).toBe('held');
      expect(await outcome(`PATCH /v2/sandbox/app/blobs/uploads/${id}`, basic('dana'))).toBe('held');
      expect(await outcome(pullSandbox, await bearer('dana', 'repository:sandbox/app:pull'))).toMatch(/^admitted/);
    });

    test('goes on with an upload that the same account began', async () => {
      expect(await outcome(step('dana'), basic('dana'))).toMatch(/^admitted/);
      expect(await outcome(step('dana'), basic('dana', 'wrong'))).toMatch(/^challenged password_wrong/);
    });

    test('does not get in with the ticket of another account or another upload', async () => {
      expect(await outcome(step('tess'), basic('dana'))).toBe('held');
      expect(await outcome(step('dana', 'another'), basic('dana'))).toBe('held');
    });

    test('is told to pause an upload, not that there were too many requests, when hashing is busy', async () => {
      busy = true;
      const ask = async (request: string): Promise<unknown> => {
        const [method = '', target = ''] = request.split(' ');
        return admit(parts, { parsed: parseRoute(method, target), credentials: basic('dana'), address: undefined });
      };
      expect(await ask(step('dana'))).toEqual({ kind: 'busy', isUpload: true });
    });
  });
});

describe('a mount', () => {
  const mount = (from: string, to = 'sandbox/app'): string =>
    `POST /v2/${to}/blobs/uploads/?mount=${digest}&from=${from}`;
  const mounted = (from: string): string =>
    `admitted /v2/sandbox/app/blobs/uploads/?mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
  const plain = 'admitted /v2/sandbox/app/blobs/uploads/';

  const cases: readonly (readonly [promise: string, request: string, scopes: string | undefined, outcome: string])[] = [
    [
      'is forwarded when token and policy reach both ends',
      mount('library/base'),
      'repository:sandbox/app:pull,push repository:library/base:pull',
      mounted('library/base'),
    ],
    [
      'with a password is forwarded when the policy reaches both ends',
      mount('library/base'),
      undefined,
      mounted('library/base'),
    ],
    [
      'from where the caller may push is forwarded',
      mount('inbox/base'),
      'repository:sandbox/app:pull,push repository:inbox/base:pull,push',
      mounted('inbox/base'),
    ],
    [
      'from where the token may push alone is forwarded',
      mount('inbox/base'),
      'repository:sandbox/app:pull,push repository:inbox/base:push',
      mounted('inbox/base'),
    ],
    [
      'is challenged with both scopes when only the token is too narrow',
      mount('library/base'),
      'repository:sandbox/app:pull,push',
      'challenged scope_insufficient repository:sandbox/app:pull,push repository:library/base:pull insufficient_scope',
    ],
    [
      'from a forbidden repository becomes an ordinary upload, as if the blob were not there',
      mount('secret/base'),
      'repository:sandbox/app:pull,push',
      plain,
    ],
    [
      'from a forbidden repository stays one, whatever the token carries',
      mount('secret/base'),
      'repository:sandbox/app:pull,push repository:secret/base:pull',
      plain,
    ],
    ['with a password from a forbidden repository becomes an ordinary upload', mount('secret/base'), undefined, plain],
    ['from a repository that does not exist looks the same', mount('no/such'), undefined, plain],
    ['without a source is an ordinary upload', `${upload}?mount=${digest}`, undefined, plain],
    ['from a bad name is an ordinary upload', mount('../secret'), undefined, plain],
    [
      'needs push on its target before anything else',
      mount('library/base', 'release/app'),
      undefined,
      'denied user "dana" may not push release/app: no rule allows it',
    ],
    [
      'needs a token for its target before anything else',
      mount('library/base'),
      'repository:library/base:pull',
      'challenged scope_insufficient repository:sandbox/app:pull,push repository:library/base:pull insufficient_scope',
    ],
  ];
  test.each(cases)('%s', async (_promise, request, scopes, expected) => {
    const credentials = scopes === undefined ? basic('dana') : await bearer('dana', scopes);
    expect(await outcome(request, credentials)).toBe(expected);
  });
});

describe('the policy of the moment', () => {
  const scope = 'repository:sandbox/app:pull,push,delete';

  test('takes a right away from a live token', async () => {
    const token = await bearer('dana', scope);
    expect(await outcome(pushSandbox, token)).toMatch(/^admitted/);
    policy = compile(people, rules.replace('actions: [pull, push, delete]', 'actions: [pull]'));
    expect(await outcome(pushSandbox, token)).toMatch(/^denied/);
    expect(await outcome(pullSandbox, token)).toMatch(/^admitted/);
  });

  test('takes a group away from a live token', async () => {
    const token = await bearer('dana', scope);
    policy = compile(people.replace('groups: [devs]', 'groups: [guests]'), rules);
    expect(await outcome(pullSandbox, token)).toMatch(/^denied user "dana"/);
  });

  test('gives a live token nothing that it does not carry, but says that a wider one can be had', async () => {
    const token = await bearer('tess', 'repository:sandbox/app:pull');
    expect(await outcome(pushSandbox, token)).toMatch(/^denied user "tess"/);
    policy = compile(people.replace('tess: {', 'tess: { groups: [devs],'), rules);
    expect(await outcome(pullSandbox, token)).toMatch(/^admitted/);
    expect(await outcome(pushSandbox, token)).toBe(
      'challenged scope_insufficient repository:sandbox/app:pull,push insufficient_scope',
    );
  });

  test('ends the tokens of a disabled and of a removed user, on every route', async () => {
    const token = await bearer('dana', scope);
    for (const change of [people.replace('dana: {', 'dana: { disabled: true,'), people.replace(/ {2}dana: .*\n/, '')]) {
      policy = compile(change, rules);
      expect(await outcome(pullSandbox, token)).toBe(
        'challenged account_gone repository:sandbox/app:pull invalid_token',
      );
      expect(await outcome('GET /v2/', token)).toBe('challenged account_gone invalid_token');
      expect(await outcome('GET /v2/open/app/manifests/1', token)).toMatch(/^challenged account_gone/);
    }
  });

  describe('and the secret of a robot', () => {
    const robots = (token: string): string => `robots: { builder: { groups: [devs], tokens: [${token}] } }`;
    const live = robots(`{ id: k3v9, sha256: ${secretHash('pct_secret')} }`);
    const compiled = (...more: readonly string[]): CompiledPolicy => compile(people, rules, ...more);
    /** As signed for a session, or for the secret of a robot. */
    async function tokenOf(account: string, sessionId: string): Promise<Credentials> {
      const credential = sessionId.startsWith('robot:') ? secretHash('pct_secret') : hash.slice(1, -1);
      const access: readonly Access[] = [{ type: 'repository', name: 'sandbox/app', actions: ['pull'] }];
      return {
        kind: 'bearer',
        token: await tokens.sign(account, access, Math.floor(now / 1000), { sessionId, credential }),
      };
    }

    test('reach as long as the secret is in the policy', async () => {
      const token = await tokenOf('builder', 'robot:k3v9');
      policy = compiled(live);
      expect(await outcome(pullSandbox, token)).toMatch(/^admitted/);
      for (const gone of [robots(''), live.replace('k3v9', 'b7q2')]) {
        policy = compiled(gone);
        expect(await outcome(pullSandbox, token)).toMatch(/^challenged token_revoked/);
      }
    });

    test('are not for a person who took the name, nor those of a person for a robot', async () => {
      const [machine, person] = [await tokenOf('builder', 'robot:k3v9'), await tokenOf('builder', 's1')];
      policy = compiled(`users: { builder: { password: ${hash}, groups: [devs] } }`);
      expect(await outcome(pullSandbox, machine)).toMatch(/^challenged account_gone/);
      expect(await outcome(pullSandbox, person)).toMatch(/^admitted/);
      policy = compiled(live);
      expect(await outcome(pullSandbox, machine)).toMatch(/^admitted/);
      expect(await outcome(pullSandbox, person)).toMatch(/^challenged account_gone/);
    });

    test('are marked as used when the secret itself is presented', async () => {
      const secret = makeSecret('robot').text;
      const marked: string[] = [];
      const robotUses = { mark: (id: string) => void marked.push(id) };
      parts = { ...parts, identity: identityOf({ ...setup, robotUses }) };
      policy = compiled(robots(`{ id: k3v9, sha256: ${secretHash(secret)} }`));
      expect(await outcome(pullSandbox, basic('builder', secret))).toMatch(/^admitted/);
      expect(marked).toEqual(['k3v9']);
    });
  });

  test('does not let a disabled user in by password', async () => {
    policy = compile(people.replace('dana: {', 'dana: { disabled: true,'), rules);
    expect(await outcome('GET /v2/', basic('dana'))).toBe('challenged account_disabled');
  });

  test.each([
    ['a right taken away', people.replace('groups: [devs]', 'groups: [guests]'), /^denied user "dana"/],
    ['a password changed', people.replace("AAAA'", "BBBA'"), /^challenged password_wrong/],
    ['a user disabled', people.replace('dana: {', 'dana: { disabled: true,'), /^challenged account_disabled/],
    ['a user removed', people.replace(/ {2}dana: .*\n/, ''), /^challenged account_unknown/],
  ])('counts, not the one of before a password waited to be hashed: %s', async (_what, change, answer) => {
    const passwords: Passwords = {
      verify(_policy, stored) {
        policy = compile(change, rules);
        return Promise.resolve(stored !== undefined && hash === `'${stored.text}'` ? 'match' : 'mismatch');
      },
    };
    parts = { ...parts, identity: identityOf({ ...setup, passwords }) };
    expect(await outcome(pushSandbox, basic('dana'))).toMatch(answer);
  });

  test('lets an expired token finish the upload that it began, and none of later on', async () => {
    const token = await bearer('dana', scope);
    const seconds = now / 1000;
    const chunk = (openedAt: number): string => {
      const ticket = parts.tickets.seal({ repository: 'sandbox/app', uploadId: id, account: 'dana' }, openedAt);
      return `PATCH /v2/sandbox/app/blobs/uploads/${id}?_portcullis=${ticket}`;
    };
    clock = now + 3_600_000;
    expect(await outcome(chunk(seconds + 200), token)).toMatch(/^admitted/);
    expect(await outcome(chunk(seconds + 3000), token)).toMatch(/^challenged token_expired/);
    clock = now + 200_000 + maxUploadSeconds * 1000;
    expect(await outcome(chunk(seconds + 200), token)).toMatch(/^admitted/);
    expect(await outcome(chunk(seconds + 199), token)).toMatch(/^challenged token_expired/);
  });

  test('sees where and when a request comes from', async () => {
    policy = compile(
      people,
      `
rules:
  - { name: a, subjects: ['user:dana'], repositories: ['**'], actions: [pull], when: { addresses: [10.0.0.0/8], before: 2026-06-01T13:00:00Z } }`,
    );
    expect(await outcome(pullSandbox, basic('dana'), '10.1.2.3')).toMatch(/^admitted/);
    expect(await outcome(pullSandbox, basic('dana'), '192.0.2.1')).toMatch(/^denied/);
    expect(await outcome(pullSandbox, basic('dana'), undefined)).toMatch(/^denied/);
    clock = now + 3_600_000;
    expect(await outcome(pullSandbox, basic('dana'), '10.1.2.3')).toMatch(/^denied/);
  });

  test('does not keep an expired token alive', async () => {
    const token = await bearer('dana', scope);
    clock = now + 300_000 + 61_000;
    expect(await outcome(pullSandbox, token)).toBe(
      'challenged token_expired repository:sandbox/app:pull invalid_token',
    );
  });
});

describe('the sentence that a refused client reads', () => {
  const decision = (reason: Decision['reason']): Decision => ({ allowed: false, reason, rule: undefined, shadow: [] });
  const login = { validFrom: 0, mark: '' };
  const long = { name: 'a'.repeat(128), repository: 'r'.repeat(255), tag: 't'.repeat(128) };

  test('names who is asking, what was asked, and why not', () => {
    const caller = {
      ...login,
      principal: { ...user('dana'), groups: [] },
      method: 'password',
      bound: undefined,
    } as const;
    expect(
      refusalSentence(caller, { action: 'push', repository: 'release/app', tag: '1.0' }, decision('no_rule')),
    ).toBe('user "dana" may not push release/app:1.0: no rule allows it');
    expect(refusalSentence(caller, { action: 'delete', repository: 'release/app' }, decision('rule_denies'))).toBe(
      'user "dana" may not delete release/app: a rule forbids it',
    );
    const nobody = { ...login, principal: anonymous, method: undefined, bound: [] } as const;
    expect(refusalSentence(nobody, { action: 'pull', repository: 'a' }, decision('no_rule'))).toBe(
      'anonymous may not pull a: no rule allows it',
    );
  });

  const actions = ['pull', 'push', 'delete', 'catalog', 'create', 'overwrite'] as const;
  test('is one line of at most 200 characters, however long the names are', () => {
    for (const name of ['d', 'dana', long.name]) {
      for (const repository of ['a', 'release/app', 'r'.repeat(100), 'r'.repeat(127), long.repository]) {
        for (const tag of [undefined, '1', long.tag]) {
          for (const action of actions) {
            for (const reason of ['no_rule', 'rule_denies', 'account_unknown'] as const) {
              const caller = {
                ...login,
                principal: { kind: 'workload', name, groups: [] },
                method: 'access-token',
                bound: [],
              } as const;
              const need = { action, repository, ...(tag === undefined ? {} : { tag }) };
              const sentence = refusalSentence(caller, need, decision(reason));
              expect(sentence.length).toBeLessThanOrEqual(200);
              expect(sentence).toMatch(/^workload "\S+ may not .*: (a rule forbids it|no rule allows it)$/);
            }
          }
        }
      }
    }
  });

  test('names the end of a freeze, and stays as short', () => {
    const frozen = { ...decision('rule_denies'), frozenUntil: Date.parse('2027-01-02T00:00:00Z') };
    const caller = {
      ...login,
      principal: { ...user('rita'), groups: [] },
      method: 'password',
      bound: undefined,
    } as const;
    const need = { action: 'promote', repository: 'release/app', tag: 'v1' } as const;
    expect(refusalSentence(caller, need, frozen)).toBe(
      'user "rita" may not promote release/app:v1: frozen until 2027-01-02T00:00Z',
    );
    const named = { ...caller, principal: { ...user(long.name), groups: [] } };
    const sentence = refusalSentence(named, { ...need, repository: long.repository, tag: long.tag }, frozen);
    expect(sentence.length).toBeLessThanOrEqual(200);
    expect(sentence).toMatch(/: frozen until 2027-01-02T00:00Z$/);
  });

  test('never shows names of rules or files', async () => {
    const denied = await outcome('PUT /v2/sandbox/frozen/manifests/1.0', basic('dana'));
    expect(denied).not.toContain('.yaml');
    expect(denied.replace('sandbox/frozen', '')).not.toContain('frozen');
  });
});
