/** Access tokens that people make for themselves: whom they let in, how far, how long, and what ends them. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Credentials } from '../../src/distribution/credentials.ts';
import { makeSecret, secretHash } from '../../src/identity/carried-secret.ts';
import type { Caller, Identified, Identity } from '../../src/identity/identify.ts';
import { makeOwnToken, maxOwnTokens, ownTokensOf } from '../../src/identity/own-tokens.ts';
import type { IdentitySource } from '../../src/identity/source.ts';
import { createPersonalSource } from '../../src/identity/sources/personal.ts';
import { createRobotSource } from '../../src/identity/sources/robot.ts';
import type { PolicyByName } from '../../src/policy/by-name.ts';
import type { Question } from '../../src/policy/evaluate.ts';
import { type Action, type Principal, actions, secretActions } from '../../src/policy/model.ts';
import { reachProblem } from '../../src/policy/own-reach.ts';
import type { SessionReach, SessionStore } from '../../src/ports.ts';
import type { AccessTokens } from '../../src/token/access-token.ts';
import { createTokenService } from '../../src/token/service.ts';
import { type TestDirectory, testDirectory } from '../support/directory.ts';
import { directorySource, fileSources, identityOf, loginParts } from '../support/identity.ts';
import { makeKey } from '../support/keys.ts';
import { compile, quickHash } from '../support/policies.ts';
import { noLimits } from '../support/ports.ts';
import { sized } from '../support/size.ts';

const minute = 60_000;
const day = 86_400;
const key = await makeKey();
const hashes = { first: await quickHash('secret'), second: await quickHash('another') };

function policyText({ hash = hashes.first, more = '', dana = '' } = {}): string {
  return `
groups: { devs: { from: ["ldap:developers"] }, admins: }
users:
  dana: { password: '${hash}', groups: [devs, admins] ${dana} }
  otto: { password: '${hashes.first}', groups: [devs] }
robots: { builder: { groups: [devs] } }
rules:
  - { name: share, subjects: ['group:devs'], repositories: ['sandbox/**', 'inbox/*'], actions: [pull, push] }
  - { name: clean, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [delete, catalog, promote] }
  - { name: read, subjects: [authenticated], repositories: ['release/**'], actions: [pull] }
  - { name: rule, subjects: ['group:admins'], repositories: ['**'], actions: [inspect, administer] }
  - { name: stay, effect: deny, subjects: [everyone], repositories: ['sandbox/**'], tags: ['v*'], actions: [overwrite, delete] }
${more}`;
}

let now: number;
let policy: PolicyByName;
let sessions: SessionStore;
let asked: number;
let isAway: boolean;
let directory: TestDirectory;
let tokens: AccessTokens;
let identity: Identity;

/** A gateway that begins now, on the same store. */
function open(): Identity {
  const clock = (): number => now;
  const parts = loginParts(clock, key);
  const { guard } = parts;
  ({ tokens } = parts);
  const ldap = directorySource({ directory, guard, sessions, refreshMs: 5 * minute, staleForMs: 60 * minute });
  const [, ...files] = fileSources({ guard, hasNext: true });
  const people: readonly IdentitySource[] = [...files, ldap];
  const policies = { current: () => policy };
  const personal = createPersonalSource({
    sources: people,
    policies,
    sessions,
    clock,
    guard,
    service: 'registry.test',
  });
  const sources = [createRobotSource({ hasNext: true }), personal, ...people];
  return identityOf({ sources, policies, sessions, tokens, clock, refreshTtlSeconds: 90 * day });
}

beforeEach(() => {
  now = Date.parse('2026-06-01T12:00:00Z');
  policy = compile(policyText());
  directory = testDirectory({ zoe: { password: 'secret', groups: ['developers'] } });
  const { sessions: store } = loginParts(() => now, key);
  [asked, isAway] = [0, false];
  sessions = {
    ...store,
    use: (...args) => {
      asked += 1;
      return isAway ? Promise.resolve({ ok: false, reason: 'unavailable' }) : store.use(...args);
    },
  };
  identity = open();
});

const basic = (account: string, password: string): Credentials => ({ kind: 'basic', account, password });

async function inPerson(account: string, password = 'secret'): Promise<Caller> {
  const found = await identity.identify(basic(account, password), { address: '192.0.2.1' });
  if (found.kind === 'refused') throw new Error(found.refusal.reason);
  return found.caller;
}

const ownParts = () => ({
  ...{ sessions, identity, service: 'registry.test', personalMaxTtlSeconds: 90 * day },
  clock: () => now,
});

async function make(
  account = 'dana',
  { reach = {}, lifetimeSeconds = 30 * day }: { reach?: SessionReach; lifetimeSeconds?: number } = {},
): Promise<{ readonly id: string; readonly secret: string }> {
  const terms = { label: 'laptop', lifetimeSeconds, reach, address: '192.0.2.1', userAgent: 'curl' };
  const made = await makeOwnToken(ownParts(), await inPerson(account), terms);
  if (!made.ok) throw new Error(made.reason);
  return { id: made.session.id, secret: made.secret };
}

async function come(credentials: Credentials, address = '192.0.2.9'): Promise<Identified | string> {
  const found = await identity.identify(credentials, { address });
  return found.kind === 'refused' ? found.refusal.reason : found;
}

/** `in as user dana` or why not. */
async function outcome(credentials: Credentials, address?: string): Promise<string> {
  const found = await come(credentials, address);
  if (typeof found === 'string') return found;
  const { principal, method } = found.caller;
  return 'name' in principal ? `${principal.kind} ${principal.name} by ${method}` : principal.kind;
}

async function issue(credentials: Credentials, scopes: readonly string[] = ['repository:sandbox/app:pull,push']) {
  const login = { tokens, sessions, clock: () => now, service: 'registry.test', refreshTtlSeconds: 90 * day };
  const service = createTokenService({ ...login, identity, limits: noLimits });
  const request = { service: undefined, offline: true, address: '192.0.2.9', userAgent: 'docker' };
  const issued = await service.issue({ credentials, scopes, ...request });
  if (!issued.ok) throw new Error(issued.refusal.reason);
  return issued;
}

describe('whoever shows it', () => {
  test('is its person, by its name alone', async () => {
    const { secret } = await make();
    expect(await outcome(basic('dana', secret))).toBe('user dana by personal-token');
    for (const other of ['otto', 'builder', 'Dana', '', 'nobody'])
      expect(await outcome(basic(other, secret))).toBe('secret_unknown');
    expect(await outcome(basic('dana', makeSecret('robot').text))).toBe('secret_unknown');
    expect(await outcome(basic('dana', `${secret}x`))).toBe('secret_malformed');
  });

  test('gets no session, however they ask, and what they get has the token behind it', async () => {
    const { secret, id } = await make();
    const before = await sessions.list('dana', now);
    const issued = await issue(basic('dana', secret));
    expect(issued).toMatchObject({ refreshToken: undefined, sessionId: id, method: 'personal-token', secretId: id });
    expect(await sessions.list('dana', now)).toMatchObject({ sessions: before.ok ? [{ id }] : [] });
    const bearer: Credentials = { kind: 'bearer', token: issued.token };
    const found = await come(bearer);
    expect(found).toMatchObject({ caller: { ownToken: { id, reach: {} }, method: 'access-token' } });
  });

  test('cannot use it as a refresh token, nor a refresh token as it', async () => {
    const { secret } = await make();
    const shown = { kind: 'session', secret } as const;
    expect(await identity.identify(shown, { address: undefined })).toMatchObject({
      refusal: { reason: 'session_unknown' },
    });
    const { refreshToken = '' } = await issue(basic('dana', 'secret'));
    expect(await outcome(basic('dana', refreshToken))).toBe('secret_misplaced');
  });

  test('a secret of any other kind of session is none', async () => {
    const text = makeSecret('robot').text;
    const session = { id: 'x', account: 'dana', service: 'registry.test', created: now, lastUsed: now };
    for (const changes of [{ kind: 'web' }, {}, { kind: 'personal', service: 'elsewhere' }] as const) {
      const client = { address: undefined, userAgent: undefined, expires: now + minute };
      await sessions.open(secretHash(text), { ...session, ...client, ...changes }, 60);
      expect(await outcome(basic('dana', text), `192.0.2.${Object.keys(changes).length + 20}`)).toBe('secret_unknown');
    }
    const refresh = makeSecret('session').text;
    await sessions.open(secretHash(refresh), { ...session, address: undefined, userAgent: undefined, kind: 'web' }, 60);
    const shown = { kind: 'session', secret: refresh } as const;
    expect(await identity.identify(shown, { address: undefined })).toMatchObject({
      refusal: { reason: 'session_unknown' },
    });
  });
});

describe('it ends', () => {
  const ends: readonly (readonly [string, () => void | Promise<unknown>, string])[] = [
    [
      'when it is revoked',
      async () => sessions.revoke({ id: (await ownTokensOf(ownParts(), 'dana'))?.[0]?.id ?? '' }, now),
      'secret_unknown',
    ],
    ['with all sessions of the account', () => sessions.revoke({ account: 'dana' }, now), 'secret_unknown'],
    [
      'when the password is another one',
      () => void (policy = compile(policyText({ hash: hashes.second }))),
      'secret_ended',
    ],
    [
      'when the account is disabled',
      () => void (policy = compile(policyText({ dana: ', disabled: true' }))),
      'account_disabled',
    ],
    [
      'when the account counts from later on',
      () => void (policy = compile(policyText({ dana: ", validFrom: '2026-06-01T12:00:01Z'" }))),
      'secret_ended',
    ],
    ['when all that was issued to the account has ended', () => sessions.endAccount('dana', now + 1), 'secret_ended'],
    ['when it expires', () => void (now += 30 * day * 1000), 'secret_unknown'],
  ];
  test.each(ends)('%s, and with it what was issued for it', async (_, end, why) => {
    const { secret } = await make();
    const { token } = await issue(basic('dana', secret));
    const bearer: Credentials = { kind: 'bearer', token };
    const caller = (await come(basic('dana', secret))) as Identified;
    expect(await outcome(bearer)).toBe('user dana by access-token');
    await end();
    // Also where it is remembered, and where it is not.
    const remembered = await outcome(basic('dana', secret));
    expect([why, 'secret_expired']).toContain(remembered);
    expect(['token_revoked', 'token_expired', 'account_gone']).toContain(await outcome(bearer));
    if (why !== 'secret_unknown') expect(identity.again(caller.caller)).toMatchObject({ kind: 'refused' });
    identity = open();
    // What ended for good is not kept in the store.
    expect([why, 'secret_unknown']).toContain(await outcome(basic('dana', secret)));
    expect(['token_revoked', 'token_expired', 'account_gone']).toContain(await outcome(bearer));
  });

  test('in the middle of a request, too', async () => {
    const { secret, id } = await make();
    const found = (await come(basic('dana', secret))) as Identified;
    expect(identity.again(found.caller)).toMatchObject({ kind: 'identified' });
    await sessions.revoke({ id }, now);
    expect(identity.again(found.caller)).toMatchObject({ refusal: { reason: 'token_revoked' } });
  });

  test('and what is issued for it lives no longer than it does', async () => {
    const { secret } = await make('dana', { lifetimeSeconds: 100 });
    now += 40_000;
    const issued = await issue(basic('dana', secret));
    expect(issued.expiresInSeconds).toBe(60);
    expect(await tokens.verify(issued.token, now / 1000)).toMatchObject({ claims: { expiresAt: now / 1000 + 60 } });
  });

  test('not after longer than is allowed', async () => {
    await make('dana', { lifetimeSeconds: 1000 * day });
    expect((await ownTokensOf(ownParts(), 'dana'))?.map(({ expires = 0 }) => (expires - now) / 1000 / day)).toEqual([
      90,
    ]);
  });
});

describe('of somebody from a directory', () => {
  const fiveMinutes = (): number => (now += 6 * minute);

  test('is theirs as long as they are there, in the groups that they have by then', async () => {
    const { secret } = await make('zoe');
    const groups = async (): Promise<unknown> => {
      const found = await come(basic('zoe', secret));
      return typeof found === 'string' ? found : 'groups' in found.caller.principal && found.caller.principal.groups;
    };
    expect(await groups()).toEqual(['devs']);
    expect(await outcome(basic('ZOE', secret))).toBe('user zoe by personal-token');
    directory.people.set('zoe', { password: 'secret', groups: [] });
    fiveMinutes();
    expect(await groups()).toEqual([]);
    directory.people.delete('zoe');
    fiveMinutes();
    expect(await groups()).toBe('account_disabled');
  });

  test('asks the store and the directory no more often than of anybody, however often it is shown', async () => {
    const { secret } = await make('zoe');
    fiveMinutes();
    [asked, directory.asked.length] = [0, 0];
    for (let time = 0; time < 20; time++) await outcome(basic('zoe', secret));
    // Once to find it, once to write down what the directory said.
    expect([asked, directory.asked.length]).toEqual([2, 1]);
    isAway = true;
    expect(await outcome(basic('zoe', secret))).toBe('user zoe by personal-token');
    isAway = false;
    now += 61_000;
    for (let time = 0; time < 20; time++) await outcome(basic('zoe', secret));
    expect([asked, directory.asked.length]).toEqual([3, 1]);
  });

  test('ends when the name is somebody else’s, for good', async () => {
    const { secret } = await make('zoe');
    const was = directory.people.get('zoe');
    directory.people.set('zoe', { ...was, password: 'secret', id: 'another' });
    fiveMinutes();
    expect(await outcome(basic('zoe', secret))).toBe('secret_ended');
    if (was !== undefined) directory.people.set('zoe', was);
    fiveMinutes();
    identity = open();
    expect(await outcome(basic('zoe', secret))).not.toMatch(/^user/);
  });

  test('counts for a while when the directory does not answer, and then not', async () => {
    const { secret } = await make('zoe');
    directory.isAway = true;
    fiveMinutes();
    expect(await outcome(basic('zoe', secret))).toBe('user zoe by personal-token');
    now += 66 * minute;
    expect(await outcome(basic('zoe', secret))).toBe('source_unavailable');
  });
});

describe('the store', () => {
  test('is asked once a minute, however often the token is shown', async () => {
    const { secret } = await make();
    asked = 0;
    const many = (): Promise<unknown> => Promise.all(Array.from({ length: 50 }, () => outcome(basic('dana', secret))));
    expect(new Set((await many()) as string[])).toEqual(new Set(['user dana by personal-token']));
    await many();
    expect(asked).toBe(1);
    now += 61_000;
    await many();
    expect(asked).toBe(2);
    expect(await sessions.list('dana', now)).toMatchObject({ sessions: [{ lastUsed: now, address: '192.0.2.9' }] });
  });

  test('that is away makes nobody a stranger: what is remembered counts, of the rest nothing is known', async () => {
    const { secret } = await make();
    await outcome(basic('dana', secret));
    isAway = true;
    expect(await outcome(basic('dana', secret))).toBe('user dana by personal-token');
    expect(await outcome(basic('dana', makeSecret('robot').text))).toBe('source_unavailable');
    now += 61_000;
    expect(await outcome(basic('dana', secret))).toBe('source_unavailable');
    isAway = false;
    expect(await outcome(basic('dana', secret))).toBe('user dana by personal-token');
  });

  test('is asked of guesses no more often than passwords are, and a guesser keeps no known token out', async () => {
    const { secret } = await make();
    await outcome(basic('dana', secret));
    now += 61_000;
    asked = 0;
    for (let guess = 0; guess < 40; guess++) await outcome(basic('dana', makeSecret('robot').text));
    expect(asked).toBe(5);
    expect(await outcome(basic('dana', makeSecret('robot').text))).toBe('login_held');
    expect(await outcome(basic('dana', secret))).toBe('user dana by personal-token');
  });

  test('is not asked again about what was wrong, and it is one mistake', async () => {
    const { secret, id } = await make();
    await sessions.revoke({ id }, now);
    asked = 0;
    for (let time = 0; time < 40; time++) expect(await outcome(basic('dana', secret))).toBe('secret_unknown');
    expect(asked).toBe(1);
    expect(await outcome(basic('dana', (await make()).secret))).toBe('user dana by personal-token');
  });
});

test(`nobody has more than ${maxOwnTokens}, however they ask for them; those that ended do not count`, async () => {
  const dana = await inPerson('dana');
  const terms = { label: '', lifetimeSeconds: day, reach: {}, address: undefined, userAgent: undefined };
  const made = await Promise.all(Array.from({ length: 30 }, () => makeOwnToken(ownParts(), dana, terms)));
  expect(made.every(({ ok }) => ok)).toBe(true);
  const more = await Promise.all(Array.from({ length: 40 }, () => makeOwnToken(ownParts(), dana, terms)));
  expect(more.filter(({ ok }) => !ok)).toEqual(
    more.filter(({ ok }) => !ok).map(() => ({ ok: false, reason: 'too_many' })),
  );
  expect((await ownTokensOf(ownParts(), 'dana'))?.length).toBeLessThanOrEqual(maxOwnTokens);
  policy = compile(policyText({ hash: hashes.second }));
  expect(await ownTokensOf(ownParts(), 'dana')).toEqual([]);
  expect(await makeOwnToken(ownParts(), await inPerson('dana', 'another'), terms)).toMatchObject({ ok: true });
});

describe('it reaches', () => {
  const repositories = ['sandbox/app', 'sandbox/team/app', 'inbox/x', 'release/app', 'other/app', 'dana/app'];
  const patterns: Readonly<Record<string, RegExp>> = {
    '**': /^.+$/,
    'sandbox/**': /^sandbox\/.+$/,
    'sandbox/*': /^sandbox\/[^/]+$/,
    '*/app': /^[^/]+\/app$/,
    '${account}/*': /^dana\/[^/]+$/,
    'release/app': /^release\/app$/,
  };
  const halves = (action: Action): readonly Action[] => (action === 'push' ? ['create', 'overwrite'] : [action]);

  /** In words of its own: what the rules give, and no more than the token was made for. */
  function expected({ repositories: named, actions: made = secretActions }: SessionReach, question: Question): boolean {
    const { action, repository, readWhilePushing } = question;
    if (named?.every((text) => patterns[text]?.test(repository) !== true) === true) return false;
    const own = made.flatMap(halves);
    if (action === 'push')
      return halves('push').some((half) => own.includes(half) && policy.decide({ ...question, action: half }).allowed);
    const isMade =
      own.includes(action) ||
      (action === 'pull' && readWhilePushing === true && halves('push').some((half) => own.includes(half)));
    return isMade && action !== 'administer' && policy.decide(question).allowed;
  }

  test('what its person may do and it was made for, nothing more and nothing less, also by what was issued for it on another replica', async () => {
    const principal: Principal = { kind: 'user', name: 'dana', groups: ['devs', 'admins'] };
    const reaches = fc.record(
      {
        repositories: fc.subarray(Object.keys(patterns), { minLength: 1 }),
        actions: fc.subarray([...secretActions], { minLength: 1 }),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(reaches, async (reach) => {
        expect(reachProblem(reach)).toBeUndefined();
        identity = open();
        const { secret, id } = await make('dana', { reach });
        const scopes = repositories.map((name) => `repository:${name}:*`);
        const { token, access } = await issue(basic('dana', secret), scopes);
        const byPassword = await issue(basic('dana', 'secret'), scopes);
        for (const { name, actions: granted } of access)
          expect(byPassword.access.find((one) => one.name === name)?.actions).toEqual(
            expect.arrayContaining([...granted]),
          );
        const byBasic = await come(basic('dana', secret));
        identity = open();
        const byToken = await come({ kind: 'bearer', token });
        for (const found of [byBasic, byToken]) {
          if (typeof found === 'string') throw new Error(found);
          const again = identity.again(found.caller);
          if (again.kind === 'refused') throw new Error(again.refusal.reason);
          for (const seen of [found.policy, again.policy]) {
            for (const repository of repositories)
              for (const action of actions)
                for (const tag of [undefined, 'v1', 'wip'])
                  for (const readWhilePushing of [false, true]) {
                    const question = { principal, action, repository, tag, now, readWhilePushing };
                    expect([question, seen.decide(question).allowed]).toEqual([question, expected(reach, question)]);
                  }
            for (const action of ['inspect', 'administer'] as const) {
              const isEverywhere = reach.repositories?.includes('**') ?? true;
              const isMade = isEverywhere && (reach.actions ?? secretActions).some((made) => made === action);
              const may = isMade && policy.mayEverywhere(principal, action, { now }).allowed;
              expect([action, seen.mayEverywhere(principal, action, { now }).allowed]).toEqual([action, may]);
            }
            const lists = reach.actions?.includes('catalog') ?? true;
            expect(seen.mayListCatalog(principal, { now }).allowed).toBe(lists);
          }
        }
        await sessions.revoke({ id }, now);
      }),
      { numRuns: sized(200) },
    );
  });

  test.each<readonly [SessionReach, RegExp]>([
    [{ actions: ['administer'] }, /administers/],
    [{ actions: [] }, /at least one action/],
    [{ repositories: [] }, /at least one repository/],
    [{ repositories: ['Sandbox/**'] }, /lower case/],
    [{ repositories: ['a/../b'] }, /no ".." segment/],
    [{ repositories: Array.from({ length: 17 }, (_, n) => `a${n}`) }, /at most 16/],
    [{ repositories: ['a'.repeat(200), 'b'.repeat(200), 'c'.repeat(200)] }, /more than 512/],
  ])('nothing that cannot be: %j', (reach, problem) => {
    expect(reachProblem(reach)).toMatch(problem);
  });

  test('nothing by a claim that its issuer would not write', async () => {
    const access = [{ type: 'repository', name: 'other/app', actions: ['pull'] }] as const;
    const sign = (reach: unknown, sessionId: string | undefined = 's'): Promise<string> =>
      tokens.sign('dana', access, now / 1000, { credential: hashes.first, sessionId, reach: reach as SessionReach });
    for (const reach of [{ repositories: 'x' }, { repository: ['x'] }, { actions: ['all'] }, [], 1, null])
      expect(await tokens.verify(await sign(reach), now / 1000)).toEqual({ ok: false, reason: 'token_invalid' });
    const orphan = await tokens.sign('dana', access, now / 1000, { credential: hashes.first, reach: {} });
    expect(await tokens.verify(orphan, now / 1000)).toEqual({ ok: false, reason: 'token_invalid' });
    const found = await come({ kind: 'bearer', token: await sign({ repositories: ['not a pattern['] }) });
    if (typeof found === 'string') throw new Error(found);
    const principal = found.caller.principal;
    for (const repository of repositories)
      expect(found.policy.decide({ principal, action: 'pull', repository, now }).allowed).toBe(false);
  });
});
