/** Sources of identity side by side: what any of them says counts alike, at the gate, at /token and later in a request. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Credentials } from '../../src/distribution/credentials.ts';
import type { Identity } from '../../src/identity/identify.ts';
import { makeMarkedId } from '../../src/identity/marked-id.ts';
import type { IdentitySource, Login } from '../../src/identity/source.ts';
import type { AccessClaims } from '../../src/token/access-token.ts';
import { fileSources, identityOf } from '../support/identity.ts';
import { compile, quickHash } from '../support/policies.ts';
import { noSessions } from '../support/ports.ts';

const now = Date.parse('2026-06-01T12:00:00Z');
const policy = compile(`
groups: { devs: }
users: { dana: { password: '${await quickHash('secret')}' } }
rules: [{ name: share, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull] }]
`);

/** People of another directory, by name; it may change its mind. */
let directory: Map<string, Login>;
const elsewhere: IdentitySource = {
  method: 'password',
  authenticate(_policy, { account, password }) {
    const login = directory.get(account);
    if (login === undefined) return undefined;
    return password === 'theirs' ? { ok: true, login } : { ok: false, reason: 'password_wrong' };
  },
  standing: (_policy, { account, secretId }) => (secretId === undefined ? directory.get(account) : undefined),
};
const person = (groups: readonly string[], mark = 'mark'): Login => ({
  principal: { kind: 'user', name: 'ada', groups },
  validFrom: 0,
  mark,
});

let claims: AccessClaims;
let identity: Identity;
beforeEach(() => {
  directory = new Map([['ada', person(['devs'])]]);
  const issuedAt = now / 1000;
  claims = { account: 'ada', access: [], tokenId: makeMarkedId('mark'), issuedAt, expiresAt: issuedAt + 300 };
  identity = identityOf({
    sources: [elsewhere, ...fileSources()],
    policies: { current: () => policy },
    tokens: { verify: () => Promise.resolve({ ok: true, claims }) },
    sessions: noSessions,
    clock: () => now,
  });
});

const basic = (account: string, password: string): Credentials => ({ kind: 'basic', account, password });
const bearer: Credentials = { kind: 'bearer', token: 'x' };

/** `in as user ada of devs, pulls` or the reason why not. */
async function outcome(credentials: Credentials): Promise<string> {
  const found = await identity.identify(credentials, { address: undefined });
  return found.kind === 'refused' ? found.refusal.reason : describeCaller(found);
}

function describeCaller({
  caller,
  policy: seen,
}: Extract<Awaited<ReturnType<Identity['identify']>>, { kind: 'identified' }>): string {
  const { principal } = caller;
  if (!('name' in principal)) return principal.kind;
  const { allowed } = seen.decide({ principal, action: 'pull', repository: 'sandbox/app', now });
  return `${principal.name} of ${principal.groups.join()}${allowed ? ', pulls' : ''}`;
}

describe('a person whom the policy files do not know', () => {
  test('is let in by the source that does, in the groups that it gives', async () => {
    expect(await outcome(basic('ada', 'theirs'))).toBe('ada of devs, pulls');
    expect(await outcome(basic('ada', 'secret'))).toBe('password_wrong');
    expect(await outcome(basic('dana', 'secret'))).toBe('dana of ');
    expect(await outcome(basic('nobody', 'theirs'))).toBe('account_unknown');
  });

  test('goes on with an access token as the source has it at that moment', async () => {
    expect(await outcome(bearer)).toBe('ada of devs, pulls');
    directory.set('ada', person([]));
    expect(await outcome(bearer)).toBe('ada of ');
    directory.set('ada', person(['devs'], 'changed'));
    expect(await outcome(bearer)).toBe('token_revoked');
    directory.set('ada', { ...person(['devs']), validFrom: now + 1000 });
    expect(await outcome(bearer)).toBe('token_revoked');
    directory.delete('ada');
    expect(await outcome(bearer)).toBe('account_gone');
  });

  test('is looked at again while a request lasts', async () => {
    const found = await identity.identify(basic('ada', 'theirs'), { address: undefined });
    if (found.kind === 'refused') throw new Error(found.refusal.reason);
    const again = (): string => {
      const standing = identity.again(found.caller);
      return standing.kind === 'refused' ? standing.refusal.reason : describeCaller(standing);
    };
    expect(again()).toBe('ada of devs, pulls');
    directory.set('ada', person([]));
    expect(again()).toBe('ada of ');
    directory.set('ada', person(['devs'], 'changed'));
    expect(again()).toBe('token_revoked');
    directory.delete('ada');
    expect(again()).toBe('account_gone');
  });

  test('keeps a session as long as the source stands by it', () => {
    const session = {
      id: makeMarkedId('mark'),
      account: 'ada',
      service: 's',
      created: now,
      lastUsed: now,
      address: undefined,
      userAgent: undefined,
    };
    expect(identity.endOfSession(session)).toBeUndefined();
    directory.set('ada', person([], 'changed'));
    expect(identity.endOfSession(session)).toBe('session_password_changed');
    directory.delete('ada');
    expect(identity.endOfSession(session)).toBe('session_account_gone');
  });
});
