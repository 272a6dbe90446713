/** People of an OpenID Connect provider: who gets in under which name, and how long what they hold counts. */
import { beforeEach, describe, expect, test } from 'vitest';
import { makeSecret, secretHash } from '../../src/identity/carried-secret.ts';
import type { Identity } from '../../src/identity/identify.ts';
import type { Login } from '../../src/identity/source.ts';
import { type WebLogins, createOidcSource } from '../../src/identity/sources/oidc.ts';
import { createPersonalSource } from '../../src/identity/sources/personal.ts';
import { makeOwnToken } from '../../src/identity/own-tokens.ts';
import { newSession } from '../../src/identity/web-session.ts';
import type { PolicyByName } from '../../src/policy/by-name.ts';
import type { ProvidedPerson, SessionStore } from '../../src/ports.ts';
import { createTokenService } from '../../src/token/service.ts';
import { type TestDirectory, testDirectory } from '../support/directory.ts';
import { directorySource, fileSources, identityOf, loginParts } from '../support/identity.ts';
import { makeKey } from '../support/keys.ts';
import { compile, quickHash } from '../support/policies.ts';
import { noLimits } from '../support/ports.ts';

const hour = 3_600_000;
const key = await makeKey();
const hash = await quickHash('theirs');
const text = `
groups:
  developers: { from: ["oidc:dev-team", "ldap:developers"] }
  releasers: { from: ["oidc:Release Managers"] }
  testers:
users: { dana: { groups: [testers] }, max: { password: '${hash}' }, eve: { disabled: true } }
robots: { builder: {} }
rules: [{ name: share, subjects: ['group:developers'], repositories: ['sandbox/**'], actions: [pull, push] }]
`;

let now: number;
let directory: TestDirectory;
let isDown: boolean;
let policy: PolicyByName;
let sessions: SessionStore;
let identity: Identity;
let logins: WebLogins;
let service: ReturnType<typeof createTokenService>;

beforeEach(() => build(90 * 86_400));

/** `accountMemorySeconds`: for so long the store knows whose a name was, and that this has ended. */
function build(accountMemorySeconds: number): void {
  now = Date.parse('2026-06-01T12:00:00Z');
  policy = compile(text);
  isDown = false;
  directory = testDirectory({ liam: { password: 'secret', groups: ['developers'] } });
  const clock = (): number => now;
  const { sessions: store, guard, tokens } = loginParts(clock, key, accountMemorySeconds);
  const away = { ok: false, reason: 'unavailable' } as const;
  sessions = {
    ...store,
    own: (...given) => (isDown ? Promise.resolve(away) : store.own(...given)),
    owner: (...given) => (isDown ? Promise.resolve(away) : store.owner(...given)),
  };
  const policies = { current: () => policy };
  const ldap = directorySource({ directory, guard, sessions, refreshMs: hour, staleForMs: hour });
  logins = createOidcSource({ sessions, earlier: [ldap], policies, clock, recheckMs: 24 * hour });
  const people = [ldap, logins];
  const own = { sources: people, policies, sessions, clock, guard, service: 'registry.test' };
  const sources = [createPersonalSource(own), ...fileSources({ guard, hasNext: true }), ...people];
  const refreshTtlSeconds = 90 * 86_400;
  identity = identityOf({ sources, policies, sessions, tokens, clock, refreshTtlSeconds });
  const login = { tokens, sessions, clock, service: 'registry.test', refreshTtlSeconds };
  service = createTokenService({ ...login, identity, limits: noLimits });
}

function person(name: string, more: Partial<ProvidedPerson> = {}): ProvidedPerson {
  return { issuer: 'https://idp.test', subject: `sub of ${name}`, name, groups: ['dev-team', 'unheard-of'], ...more };
}

async function comes(who: ProvidedPerson): Promise<Login> {
  const accepted = await logins.accept(who);
  if (!accepted.ok) throw new Error(JSON.stringify(accepted));
  return accepted.login;
}

/** `name of groups`, or why not. */
async function accepted(who: ProvidedPerson): Promise<string> {
  const found = await logins.accept(who);
  if (!found.ok) return found.reason;
  const { principal } = found.login;
  return 'name' in principal ? `${principal.name} of ${principal.groups.join()}` : principal.kind;
}

/** Something that lasts, as the page gives it to somebody who has logged in. */
async function holds(who: ProvidedPerson): Promise<string> {
  const login = await comes(who);
  const secret = makeSecret('session');
  if (!('name' in login.principal)) throw new Error('nobody');
  const caller = { ...login, principal: login.principal };
  const parts = { sessions, clock: () => now, service: 'registry.test' };
  const session = newSession(parts, caller, { address: undefined, userAgent: undefined });
  await sessions.open(secretHash(secret.text), session, 90 * 86_400);
  return secret.text;
}

async function refreshed(secret: string): Promise<string> {
  const found = await identity.identify({ kind: 'session', secret }, { address: undefined });
  if (found.kind === 'refused') return found.refusal.reason;
  const { principal } = found.caller;
  return 'name' in principal ? `${principal.name} of ${principal.groups.join()}` : principal.kind;
}

async function tokenFor(secret: string): Promise<{ readonly token: string; readonly expiresInSeconds: number }> {
  const issued = await service.issue({
    credentials: { kind: 'session', secret },
    scopes: ['repository:sandbox/app:pull'],
    service: undefined,
    offline: false,
    address: undefined,
    userAgent: undefined,
  });
  if (!issued.ok) throw new Error(JSON.stringify(issued));
  return issued;
}

async function bearer(token: string): Promise<string> {
  const found = await identity.identify({ kind: 'bearer', token }, { address: undefined });
  return found.kind === 'refused' ? found.refusal.reason : 'in';
}

describe('somebody whom the provider sends', () => {
  test('is in the groups that the policy maps, by their exact names, and in those of their name', async () => {
    expect(await accepted(person('olga'))).toBe('olga of developers');
    expect(await accepted(person('olga', { groups: ['Release Managers', 'dev-team', 'dev-team'] }))).toBe(
      'olga of developers,releasers',
    );
    expect(await accepted(person('olga', { groups: ['DEV-TEAM', 'release managers'] }))).toBe('olga of ');
    expect(await accepted(person('dana'))).toBe('dana of testers,developers');
    const { outside, mark } = await comes(person('dana'));
    expect(outside).toMatchObject({ source: 'oidc', groups: ['dev-team'] });
    expect(mark).not.toContain('sub of');
  });

  test.each([
    ['a machine', 'builder', 'account_conflict'],
    ['a user with a password', 'max', 'account_conflict'],
    ['somebody of the directory', 'liam', 'account_conflict'],
    ['somebody who is shut out', 'eve', 'account_disabled'],
    ['nobody possible', 'o lga', 'account_unknown'],
    ['nothing', '', 'account_unknown'],
    ['a turn of the writing direction', 'ol\u202ega', 'account_unknown'],
    ['64 kB', 'x'.repeat(65_536), 'account_unknown'],
    ['a path', '../admin', 'account_unknown'],
    ['another line', 'olga\nadmin', 'account_unknown'],
    ['the name of an object member', '__proto__', 'account_unknown'],
  ])('and has the name of %s does not get in', async (_, name, reason) => {
    expect(await accepted(person(name))).toBe(reason);
    expect(sessions.endedBefore(name)).toBe(0);
    expect(await sessions.owner(name)).toEqual({ ok: true, owner: undefined });
  });

  test('cannot be told from somebody of a directory that does not answer', async () => {
    directory.isAway = true;
    expect(await accepted(person('olga'))).toBe('source_unavailable');
  });

  test('does not get in where the store cannot say whose the name was', async () => {
    isDown = true;
    expect(await accepted(person('olga'))).toBe('source_unavailable');
  });

  test('and is in more groups of the policy than a token holds does not get in', async () => {
    const many = Array.from({ length: 51 }, (_, at) => `g${at}`);
    policy = compile(`groups: { all: { from: [${many.map((name) => `"oidc:${name}"`).join()}] } }`);
    expect(await accepted(person('olga', { groups: many }))).toBe('groups_too_many');
    expect(await accepted(person('olga', { groups: many.slice(1) }))).toBe('olga of all');
  });

  test('has no password, and no password is theirs', async () => {
    await comes(person('olga'));
    const shown = { kind: 'basic', account: 'olga', password: 'anything' } as const;
    const found = await identity.identify(shown, { address: '192.0.2.1' });
    expect(found).toMatchObject({ kind: 'refused', refusal: { reason: 'account_unknown' } });
  });
});

describe('an access token of their own', () => {
  async function makes(who: ProvidedPerson): Promise<string> {
    const holder = await comes(who);
    const parts = { sessions, identity, clock: () => now, service: 'registry.test' };
    const terms = {
      label: 'laptop',
      lifetimeSeconds: 200 * 86_400,
      reach: {},
      address: undefined,
      userAgent: undefined,
    };
    const made = await makeOwnToken({ ...parts, personalMaxTtlSeconds: 200 * 86_400 }, holder, terms);
    if (!made.ok) throw new Error(made.reason);
    return made.secret;
  }

  async function dockerLogin(password: string) {
    const issued = await service.issue({
      credentials: { kind: 'basic', account: 'olga', password },
      scopes: ['repository:sandbox/app:pull'],
      service: undefined,
      offline: true,
      address: '192.0.2.1',
      userAgent: undefined,
    });
    return issued.ok ? `${issued.expiresInSeconds} ${issued.access[0]?.actions.join()}` : issued.refusal.reason;
  }

  test('logs in, until the login by the browser is too old, and again after the next', async () => {
    const secret = await makes(person('olga'));
    expect(await dockerLogin(secret)).toBe('900 pull');
    now += 24 * hour - 100_000;
    expect(await dockerLogin(secret)).toBe('100 pull');
    now += 100_000;
    expect(await dockerLogin(secret)).toBe('login_needed');
    await comes(person('olga', { groups: [] }));
    expect(await dockerLogin(secret)).toBe('900 ');
    await comes(person('olga'));
    now += 5000;
    expect(await dockerLogin(secret)).toBe('900 pull');
  });

  test('has ended when the name is somebody else’s', async () => {
    const secret = await makes(person('olga'));
    expect(await dockerLogin(secret)).toBe('900 pull');
    now += 1000;
    await comes(person('olga', { subject: 'another' }));
    expect(await dockerLogin(secret)).toBe('secret_ended');
  });

  test('is nobody’s while somebody else has the name, also where it is forgotten that it ended', async () => {
    build(hour / 1000);
    const secret = await makes(person('olga'));
    now += 2 * hour;
    directory.people.set('olga', { password: 'hers' });
    const shown = { kind: 'basic', account: 'olga', password: 'hers' } as const;
    expect((await identity.identify(shown, { address: undefined })).kind).toBe('identified');
    expect(sessions.endedBefore('olga')).toBe(0);
    expect(await dockerLogin(secret)).toBe('secret_ended');
  });
});

describe('what they hold', () => {
  test('stops working a day after their last login, and goes on after the next', async () => {
    const secret = await holds(person('olga'));
    now += 24 * hour - 1;
    expect(await refreshed(secret)).toBe('olga of developers');
    now += 1;
    expect(await refreshed(secret)).toBe('login_needed');
    now += 5 * 24 * hour;
    expect(await refreshed(secret)).toBe('login_needed');
    await comes(person('olga', { groups: ['Release Managers'] }));
    expect(await refreshed(secret)).toBe('olga of releasers');
    now += 24 * hour;
    expect(await refreshed(secret)).toBe('login_needed');
  });

  test('is in the groups that the latest login brought', async () => {
    const secret = await holds(person('olga'));
    now += hour;
    await comes(person('olga', { groups: [] }));
    expect(await refreshed(secret)).toBe('olga of ');
  });

  test('gives access tokens that end no later', async () => {
    const secret = await holds(person('olga'));
    now += 24 * hour - 60_000;
    const { token, expiresInSeconds } = await tokenFor(secret);
    expect(expiresInSeconds).toBe(60);
    expect(await bearer(token)).toBe('in');
    now += 121_000;
    expect(await bearer(token)).toBe('token_expired');
  });

  test('has ended when the name is somebody else’s, whom it does not wake again', async () => {
    const secret = await holds(person('olga'));
    const { token } = await tokenFor(secret);
    now += 1000;
    await comes(person('olga', { subject: 'another' }));
    expect([await refreshed(secret), await bearer(token)]).toEqual(['session_ended', 'token_revoked']);
    now += 1000;
    expect(await accepted(person('olga'))).toBe('olga of developers');
    expect([await refreshed(secret), await bearer(token)]).toEqual(['session_unknown', 'token_revoked']);
  });

  test('has ended when the name is that of another issuer’s person', async () => {
    const secret = await holds(person('olga'));
    now += 1000;
    await comes(person('olga', { issuer: 'https://another.test' }));
    expect(await refreshed(secret)).toBe('session_ended');
  });

  test('has ended when they come back under another name', async () => {
    const secret = await holds(person('olga', { subject: 'one' }));
    const { token } = await tokenFor(secret);
    now += 1000;
    expect(await accepted(person('helga', { subject: 'one' }))).toBe('helga of developers');
    expect([await refreshed(secret), await bearer(token)]).toEqual(['session_ended', 'token_revoked']);
  });

  test('has ended when the directory has somebody of this name', async () => {
    const secret = await holds(person('olga'));
    directory.people.set('olga', { password: 'hers' });
    now += 1000;
    const found = await identity.identify(
      { kind: 'basic', account: 'olga', password: 'hers' },
      { address: '192.0.2.1' },
    );
    expect(found.kind).toBe('identified');
    expect(await refreshed(secret)).toBe('session_ended');
    expect(await accepted(person('olga'))).toBe('account_conflict');
  });

  test('counts while the policy files shut nobody out', async () => {
    const secret = await holds(person('olga'));
    const { token } = await tokenFor(secret);
    policy = compile(text.replace('eve:', 'olga:'));
    expect([await refreshed(secret), await bearer(token)]).toEqual(['session_account_gone', 'account_gone']);
    policy = compile(text);
    expect(await refreshed(secret)).toBe('olga of developers');
  });

  test('is not judged where the store cannot say when they came last', async () => {
    const secret = await holds(person('olga'));
    isDown = true;
    expect(await refreshed(secret)).toBe('source_unavailable');
  });
});
