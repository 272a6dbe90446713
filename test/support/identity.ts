/** Identity as main.ts builds it from the policy files' sources; what a test does not name is real or remembers nothing. */
import { type Identity, type IdentityParts, createIdentity } from '../../src/identity/identify.ts';
import type { IssuerKeys } from '../../src/identity/issuer-keys.ts';
import { createPasswords } from '../../src/identity/password.ts';
import type { IdentitySource } from '../../src/identity/source.ts';
import { type PasswordParts, createPasswordSource } from '../../src/identity/sources/password.ts';
import { createRobotSource } from '../../src/identity/sources/robot.ts';
import { createWorkloadSource } from '../../src/identity/sources/workload.ts';
import { VerifiedPasswords } from '../../src/identity/verified-passwords.ts';
import { createMemoryFailedLogins } from '../../src/adapters/memory/failed-logins.ts';
import { createMemorySessionStore } from '../../src/adapters/memory/session-store.ts';
import { createLoginGuard } from '../../src/identity/login-guard.ts';
import { type DirectoryParts, createDirectorySource } from '../../src/identity/sources/directory.ts';
import type { Clock, TokenKey } from '../../src/ports.ts';
import { createAccessTokens } from '../../src/token/access-token.ts';
import { ringOf } from './keys.ts';
import { noGuard, noTokenGuard, noRobotUses, noSessions } from './ports.ts';

const noIssuerKeys: IssuerKeys = {
  keysOf: () => Promise.resolve({ ok: false, detail: 'no issuer in this test' }),
  newerThan: () => Promise.resolve(undefined),
  isReadable: () => undefined,
};

export function fileSources(parts: Partial<PasswordParts> = {}): readonly IdentitySource[] {
  const { passwords = createPasswords(), verified = new VerifiedPasswords(), guard = noGuard, hasNext = false } = parts;
  const workloads = createWorkloadSource({
    keys: noIssuerKeys,
    ownIssuer: 'https://registry.test',
    guard: noTokenGuard,
  });
  return [
    createRobotSource({ hasNext: false }),
    workloads,
    createPasswordSource({ passwords, verified, guard, hasNext }),
  ];
}

export type IdentitySetup = Pick<IdentityParts, 'policies' | 'clock'> & Partial<IdentityParts & PasswordParts>;

export function identityOf(setup: IdentitySetup): Identity {
  return createIdentity({
    sources: fileSources(setup),
    tokens: { verify: () => Promise.resolve({ ok: false, reason: 'token_invalid' }) },
    service: 'registry.test',
    sessions: noSessions,
    robotUses: noRobotUses,
    refreshTtlSeconds: 3600,
    ...setup,
  });
}

/** What logins of people outside the policy files need, in this process. `accountMemorySeconds`: so long the store knows whose a name was. */
export function loginParts(clock: Clock, key: TokenKey, accountMemorySeconds = 90 * 86_400) {
  const keys = ringOf(key);
  const about = { issuer: 'https://registry.test', service: 'registry.test' };
  return {
    sessions: createMemorySessionStore({
      ...{ file: undefined, revocationMemorySeconds: 3600, accountMemorySeconds, clock },
      onProblem: () => {},
    }),
    guard: createLoginGuard(createMemoryFailedLogins(clock), keys),
    tokens: createAccessTokens({ keys, ...about, ttlSeconds: 900 }),
  };
}

/** People of a directory that is asked again at once. */
export function directorySource(parts: Omit<DirectoryParts, 'source' | 'pause'>): IdentitySource {
  return createDirectorySource({ ...parts, source: 'ldap', pause: () => Promise.resolve() });
}
