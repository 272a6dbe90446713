/** People of a directory: who gets in, in which groups, how long what they were given counts, and what stops whom. */
import { beforeEach, describe, expect, test } from 'vitest';
import { makeSecret, secretHash } from '../../src/identity/carried-secret.ts';
import { makeMarkedId } from '../../src/identity/marked-id.ts';
import { openWebSession } from '../../src/identity/web-session.ts';
import type { Identity, Identified } from '../../src/identity/identify.ts';
import type { PolicyByName } from '../../src/policy/by-name.ts';
import type { SessionStore } from '../../src/ports.ts';
import { createTokenService } from '../../src/token/service.ts';
import { type TestDirectory, testDirectory } from '../support/directory.ts';
import { directorySource, fileSources, identityOf, loginParts } from '../support/identity.ts';
import { makeKey } from '../support/keys.ts';
import { compile, quickHash } from '../support/policies.ts';
import { noLimits } from '../support/ports.ts';

const minute = 60_000;
const key = await makeKey();
const hash = await quickHash('theirs');
const text = `
groups:
  developers: { from: ["ldap:Developers", "oidc:dev-team"] }
  releasers: { from: ["ldap:release managers"] }
  testers:
users: { dana: { groups: [testers] }, max: { password: '${hash}' }, eve: { disabled: true } }
robots: { builder: {} }
rules: [{ name: share, subjects: ['group:developers'], repositories: ['sandbox/**'], actions: [pull, push] }]
`;

let now: number;
let directory: TestDirectory;
let policy: PolicyByName;
let sessions: SessionStore;
let identity: Identity;
let service: ReturnType<typeof createTokenService>;

beforeEach(() => {
  now = Date.parse('2026-06-01T12:00:00Z');
  policy = compile(text);
  directory = testDirectory({
    dana: { password: 'secret', groups: ['developers', 'unheard-of'] },
    zoe: { password: 'secret', groups: ['Release Managers', 'DEVELOPERS'] },
    max: { password: 'secret' },
    builder: { password: 'secret', groups: ['developers'] },
    eve: { password: 'secret', groups: ['developers'] },
    shut: { password: 'secret', disabled: true },
    odd: { password: 'secret', account: 'o d d' },
    many: { password: 'secret', groups: Array.from({ length: 60 }, (_, n) => `g${n}`) },
  });
  const clock = (): number => now;
  const parts = loginParts(clock, key);
  const { guard, tokens } = parts;
  ({ sessions } = parts);
  const source = directorySource({ directory, guard, sessions, refreshMs: 5 * minute, staleForMs: 60 * minute });
  const sources = [...fileSources({ guard, hasNext: true }), source];
  identity = identityOf({ sources, policies: { current: () => policy }, sessions, tokens, clock });
  const login = { tokens, sessions, clock, service: 'registry.test', refreshTtlSeconds: 90 * 86_400 };
  service = createTokenService({ ...login, identity, limits: noLimits });
});

function describeCaller({ caller, policy: seen }: Identified): string {
  const { principal } = caller;
  if (!('name' in principal)) return principal.kind;
  const { allowed } = seen.decide({ principal, action: 'pull', repository: 'sandbox/app', now });
  return `${principal.name} of ${principal.groups.join()}${allowed ? ', pulls' : ''}`;
}

async function basic(account: string, password = 'secret', address = '192.0.2.1'): Promise<string> {
  const found = await identity.identify({ kind: 'basic', account, password }, { address });
  return found.kind === 'refused' ? found.refusal.reason : describeCaller(found);
}

async function bearer(token: string): Promise<string> {
  const found = await identity.identify({ kind: 'bearer', token }, { address: undefined });
  return found.kind === 'refused' ? found.refusal.reason : describeCaller(found);
}

async function refreshed(secret: string): Promise<string> {
  const found = await identity.identify({ kind: 'session', secret }, { address: undefined });
  return found.kind === 'refused' ? found.refusal.reason : describeCaller(found);
}

/** As docker login does it. */
async function logIn(account: string): Promise<{ readonly token: string; readonly refreshToken: string }> {
  const issued = await service.issue({
    credentials: { kind: 'basic', account, password: 'secret' },
    scopes: ['repository:sandbox/app:pull,push'],
    service: undefined,
    offline: true,
    address: '192.0.2.1',
    userAgent: undefined,
  });
  if (!issued.ok || issued.refreshToken === undefined) throw new Error(JSON.stringify(issued));
  return { token: issued.token, refreshToken: issued.refreshToken };
}

describe('somebody whom only the directory knows', () => {
  test('is in the groups that the policy maps, whatever the case of their names, and no other', async () => {
    expect(await basic('zoe')).toBe('zoe of developers,releasers, pulls');
    expect(await basic('dana')).toBe('dana of testers,developers, pulls');
    expect(await basic('zoe', 'wrong')).toBe('password_wrong');
    expect(await basic('nobody')).toBe('account_unknown');
    expect(await basic('shut')).toBe('account_disabled');
    expect(await basic('odd')).toBe('account_unknown');
  });

  test('is the one account that the directory spells, however the name is written', async () => {
    expect(await basic('ZOE')).toBe('zoe of developers,releasers, pulls');
  });

  test('is not asked for without a password, or by what cannot be a name', async () => {
    expect(await basic('zoe', '')).toBe('password_missing');
    expect(await basic('zoe)(uid=*')).toBe('account_unknown');
    expect(await basic('zoe', 'x'.repeat(2000))).toBe('password_too_long');
    expect(directory.asked).toEqual([]);
  });

  test('cannot have the name of somebody whom the policy files know, in any spelling', async () => {
    expect(await basic('builder')).toBe('account_conflict');
    expect(await basic('MAX')).toBe('account_conflict');
    expect(await basic('max')).toBe('password_wrong');
    expect(await basic('max', 'theirs')).toBe('max of ');
    expect(directory.asked).toEqual(['login builder', 'login MAX']);
  });

  test('is whom the policy files declare, also where the directory spells the name otherwise', async () => {
    policy = compile(text.replace('dana: { groups: [testers] }', 'ann: { groups: [testers] }'));
    directory.people.set('ann', { password: 'secret', account: 'Ann', groups: ['developers'] });
    expect(await basic('ANN')).toBe('ann of testers,developers, pulls');
    const { token, refreshToken } = await logIn('ann');
    expect(await bearer(token)).toBe('ann of testers,developers, pulls');
    now += 10 * minute;
    expect(await refreshed(refreshToken)).toBe('ann of testers,developers, pulls');
    // A token of before they were declared, too: what is denied to the name is denied to them.
    policy = compile(text);
    now += minute;
    const { token: before } = await logIn('ann');
    expect(await bearer(before)).toBe('Ann of developers, pulls');
    policy = compile(text.replace('dana: { groups: [testers] }', 'ann: { groups: [testers] }'));
    expect(await bearer(before)).toBe('ann of testers,developers, pulls');
  });

  test('is shut out by the policy files', async () => {
    expect(await basic('eve')).toBe('account_disabled');
    expect(await basic('EVE')).toBe('account_disabled');
  });

  test('is refused when the policy names more of the groups than fit, as denials may hang on any', async () => {
    policy = compile(`groups: { all: { from: [${Array.from({ length: 60 }, (_, n) => `"ldap:g${n}"`).join()}] } }`);
    expect(await basic('many')).toBe('groups_too_many');
    const long = Array.from({ length: 20 }, (_, n) => `${n} ${'組'.repeat(200)}`);
    directory.people.set('zoe', { password: 'secret', groups: long });
    policy = compile(`groups: { all: { from: ${JSON.stringify(long.map((name) => `ldap:${name}`))} } }`);
    expect(await basic('zoe')).toBe('groups_too_many');
    directory.people.set('dana', { password: 'secret', groups: long.slice(0, 13) });
    const { token } = await logIn('dana');
    expect(await bearer(token)).toBe('dana of all');
  });

  test('costs one question a minute, and a changed password one at once', async () => {
    await basic('zoe');
    await basic('zoe');
    expect(directory.asked).toHaveLength(1);
    expect(await basic('zoe', 'new')).toBe('password_wrong');
    now += minute;
    directory.people.set('zoe', { password: 'new' });
    expect(await basic('zoe')).toBe('password_wrong');
    expect(await basic('zoe', 'new')).toBe('zoe of ');
  });
});

describe('a directory that cannot be asked', () => {
  test('is no wrong password, and no failed login', async () => {
    directory.isAway = true;
    for (let n = 0; n < 20; n += 1) expect(await basic('zoe', `try ${n}`)).toBe('source_unavailable');
    directory.isAway = false;
    expect(await basic('zoe')).toBe('zoe of developers,releasers, pulls');
  });

  test('stops nobody whom the policy files know', async () => {
    directory.isAway = true;
    expect(await basic('max', 'theirs')).toBe('max of ');
  });
});

test('failed logins count for a name, whatever its case', async () => {
  const names = ['zoe', 'ZOE', 'Zoe', 'zOE', 'zoE', 'ZoE'];
  for (const [n, name] of names.entries()) await basic(name, `wrong ${n}`);
  expect(await basic('zOe')).toBe('login_held');
});

describe('what was issued to somebody of a directory', () => {
  test('carries the groups that the policy named then, and is mapped by the policy of now, without a question', async () => {
    const { token } = await logIn('dana');
    const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as object;
    expect(payload).toMatchObject({ sub: 'dana', src: 'ldap', groups: ['developers'] });
    const asked = directory.asked.length;
    expect(await bearer(token)).toBe('dana of testers,developers, pulls');
    policy = compile(text.replace('ldap:Developers', 'ldap:others'));
    expect(await bearer(token)).toBe('dana of testers');
    expect(directory.asked).toHaveLength(asked);
  });

  test('ends when the files disable the name, or give it to another', async () => {
    const { token, refreshToken } = await logIn('zoe');
    for (const users of ['zoe: { disabled: true }', 'ZOE: { disabled: true }', `zoe: { password: '${hash}' }`]) {
      policy = compile(`users: { ${users} }`);
      expect(await bearer(token)).toBe('account_gone');
    }
    policy = compile('robots: { zoe: {} }');
    expect(await bearer(token)).toBe('account_gone');
    policy = compile(text);
    const later = await logIn('zoe');
    policy = compile('robots: { zoe: {} }');
    expect(await refreshed(later.refreshToken)).toBe('session_ended');
    policy = compile(text);
    expect(await refreshed(later.refreshToken)).toBe('session_unknown');
    policy = compile("users: { zoe: { validFrom: '2026-06-01T12:00:01Z' } }");
    expect(await bearer(token)).toBe('token_revoked');
    expect(await refreshed(refreshToken)).toBe('session_ended');
  });

  test('is nothing once the source is not there any more', async () => {
    const { token } = await logIn('zoe');
    identity = identityOf({
      sources: fileSources(),
      policies: { current: () => compile('users: { zoe: {} }') },
      sessions,
      tokens: { verify: () => Promise.resolve({ ok: true, claims: { ...claimsOf(token) } }) },
      clock: () => now,
    });
    expect(await bearer(token)).toBe('account_gone');
  });

  function claimsOf(token: string) {
    const { sub, jti, iat, exp, src, own, groups } = JSON.parse(
      Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
    ) as { sub: string; jti: string; iat: number; exp: number; src: 'ldap'; own: string; groups: string[] };
    const outside = { source: src, id: own, groups };
    return { account: sub, access: [], tokenId: jti, issuedAt: iat, expiresAt: exp, outside };
  }
});

describe('a session of somebody of a directory', () => {
  test('asks again when what it knows is old, and has the groups of now', async () => {
    const { refreshToken } = await logIn('dana');
    directory.people.set('dana', { password: 'secret', groups: ['release managers'] });
    now += 4 * minute;
    expect(await refreshed(refreshToken)).toBe('dana of testers,developers, pulls');
    now += 2 * minute;
    expect(await refreshed(refreshToken)).toBe('dana of testers,releasers');
    now += 2 * minute;
    expect(await refreshed(refreshToken)).toBe('dana of testers,releasers');
    expect(directory.asked).toEqual(['login dana', 'look dana']);
  });

  test('is shut out while the entry is gone or closed, and goes on when the same person is back', async () => {
    const { refreshToken } = await logIn('zoe');
    const zoe = directory.people.get('zoe') ?? {};
    now += 6 * minute;
    directory.people.delete('zoe');
    expect(await refreshed(refreshToken)).toBe('session_account_gone');
    directory.people.set('zoe', { ...zoe, disabled: true });
    expect(await refreshed(refreshToken)).toBe('session_account_gone');
    directory.people.set('zoe', zoe);
    expect(await refreshed(refreshToken)).toBe('zoe of developers,releasers, pulls');
  });

  test('ends with all that was issued before when the name is somebody else’s', async () => {
    const { token, refreshToken } = await logIn('zoe');
    now += minute;
    directory.people.set('zoe', { password: 'other', id: 'another person', groups: ['developers'] });
    expect(await basic('zoe', 'other')).toBe('zoe of developers, pulls');
    expect(await bearer(token)).toBe('token_revoked');
    expect(await refreshed(refreshToken)).toBe('session_ended');
    expect(await refreshed(refreshToken)).toBe('session_unknown');
    expect(await basic('zoe', 'other')).toBe('zoe of developers, pulls');
  });

  test('stays where somebody else has the name there whom the policy files keep out', async () => {
    const { refreshToken } = await logIn('dana');
    const shut = text.replace('dana: { groups: [testers] }', 'dana: { disabled: true }');
    directory.people.set('dana', { password: 'other', id: 'another person', groups: ['developers'] });
    policy = compile(shut);
    expect(await basic('dana', 'other')).toBe('account_disabled');
    expect(await refreshed(refreshToken)).toBe('session_account_gone');
    now += 6 * minute;
    expect(await refreshed(refreshToken)).toBe('session_account_gone');
    directory.people.set('dana', { password: 'secret', groups: ['developers'] });
    policy = compile(text);
    now += 6 * minute;
    expect(await refreshed(refreshToken)).toBe('dana of testers,developers, pulls');
    // Whoever gets in has it, also by what is remembered of a login that the files kept out a moment ago.
    directory.people.set('dana', { password: 'other', id: 'another person', groups: ['developers'] });
    policy = compile(shut);
    expect(await basic('dana', 'other')).toBe('account_disabled');
    policy = compile(text);
    expect(await basic('dana', 'other')).toBe('dana of testers,developers, pulls');
    expect(await refreshed(refreshToken)).toBe('session_ended');
  });

  test('ends when it is the first to notice', async () => {
    const { token, refreshToken } = await logIn('zoe');
    now += 6 * minute;
    directory.people.set('zoe', { password: 'other', id: 'another person', groups: ['developers'] });
    expect(await refreshed(refreshToken)).toBe('session_ended');
    expect(await bearer(token)).toBe('token_revoked');
  });

  test('ends for another person also when the store no longer knows whose the name was', async () => {
    const { refreshToken } = await logIn('zoe');
    now += 6 * minute;
    sessions.own = () => Promise.resolve({ ok: true, hasEnded: false });
    directory.people.set('zoe', { password: 'other', id: 'another person' });
    expect(await refreshed(refreshToken)).toBe('session_ended');
    expect(await refreshed(refreshToken)).toBe('session_unknown');
  });

  test('ends when the password was set later', async () => {
    directory.people.set('zoe', { password: 'secret', passwordChanged: now - minute });
    const { token, refreshToken } = await logIn('zoe');
    now += 6 * minute;
    expect(await refreshed(refreshToken)).toBe('zoe of ');
    now += 6 * minute;
    directory.people.set('zoe', { password: 'secret', passwordChanged: now - minute });
    expect(await refreshed(refreshToken)).toBe('session_ended');
    expect(await bearer(token)).toBe('token_revoked');
    const again = await logIn('zoe');
    expect(await refreshed(again.refreshToken)).toBe('zoe of ');
  });

  test('asks about everybody else while the directory cannot say something of one person', async () => {
    const [dana, zoe] = [await logIn('dana'), await logIn('zoe')];
    now += 6 * minute;
    directory.people.set('zoe', { isUnreadable: true });
    directory.people.delete('dana');
    expect(await refreshed(zoe.refreshToken)).toBe('zoe of developers,releasers, pulls');
    expect(await refreshed(dana.refreshToken)).toBe('session_account_gone');
  });

  test('goes on by what was last known while nobody can be asked, for so long', async () => {
    const { refreshToken } = await logIn('zoe');
    directory.isAway = true;
    now += 64 * minute;
    expect(await refreshed(refreshToken)).toBe('zoe of developers,releasers, pulls');
    now += 2 * minute;
    expect(await refreshed(refreshToken)).toBe('source_unavailable');
    directory.isAway = false;
    expect(await refreshed(refreshToken)).toBe('zoe of developers,releasers, pulls');
  });
});

describe('a session of the page of somebody of a directory', () => {
  /** As the page opens it. */
  async function openPage(account: string): Promise<string> {
    const found = await identity.identify({ kind: 'basic', account, password: 'secret' }, { address: undefined });
    if (found.kind === 'refused') throw new Error(found.refusal.reason);
    const client = { address: undefined, userAgent: undefined };
    const opened = await openWebSession({ sessions, clock: () => now, service: 'registry.test' }, found.caller, client);
    if (!opened.ok) throw new Error('no session');
    return opened.secret;
  }

  async function visit(secret: string): Promise<string> {
    const found = await identity.identify({ kind: 'web', secret }, { address: undefined });
    return found.kind === 'refused' ? found.refusal.reason : describeCaller(found);
  }

  test('asks again when what it knows is old, and has the groups of now', async () => {
    const secret = await openPage('dana');
    directory.people.set('dana', { password: 'secret', groups: ['release managers'] });
    now += 4 * minute;
    expect(await visit(secret)).toBe('dana of testers,developers, pulls');
    now += 2 * minute;
    expect(await visit(secret)).toBe('dana of testers,releasers');
    now += 2 * minute;
    expect(await visit(secret)).toBe('dana of testers,releasers');
    expect(directory.asked).toEqual(['login dana', 'look dana']);
  });

  test('is shut out while the entry is gone, and ends when the name is somebody else’s', async () => {
    const secret = await openPage('zoe');
    const zoe = directory.people.get('zoe') ?? {};
    now += 6 * minute;
    directory.people.delete('zoe');
    expect(await visit(secret)).toBe('session_account_gone');
    directory.people.set('zoe', zoe);
    expect(await visit(secret)).toBe('zoe of developers,releasers, pulls');
    directory.people.set('zoe', { password: 'other', id: 'another person', groups: ['developers'] });
    expect(await basic('zoe', 'other')).toBe('zoe of developers, pulls');
    expect(await visit(secret)).toBe('session_ended');
    expect(await visit(secret)).toBe('session_unknown');
  });

  test('is no refresh token, nor is a refresh token a cookie, nor is either an access token of a person', async () => {
    const secret = await openPage('dana');
    const { refreshToken } = await logIn('dana');
    expect(await refreshed(secret)).toBe('secret_malformed');
    expect(await visit(refreshToken)).toBe('session_unknown');
    // Whatever the text: the kind of the session decides.
    const kinds = {
      web: ['session_unknown', 'dana of testers,developers, pulls'],
      personal: ['session_unknown', 'session_unknown'],
    };
    for (const [kind, answers] of Object.entries(kinds)) {
      const text = makeSecret('session').text;
      const session = { id: makeMarkedId('x'), account: 'dana', service: 'registry.test', created: now, lastUsed: now };
      const listed = await sessions.list('dana', now);
      const [like] = listed.ok ? listed.sessions : [];
      const client = { address: undefined, userAgent: undefined };
      await sessions.open(secretHash(text), { ...session, ...like, ...client, kind: kind as 'web' | 'personal' }, 3600);
      expect([kind, await refreshed(text), await visit(text)]).toEqual([kind, ...answers]);
    }
  });
});
