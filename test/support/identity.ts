/** Identity as main.ts builds it from the policy files' sources; what a test does not name is real or remembers nothing. */
import { type Identity, type IdentityParts, createIdentity } from '../../src/identity/identify.ts';
import type { IssuerKeys } from '../../src/identity/issuer-keys.ts';
import { createPasswords } from '../../src/identity/password.ts';
import type { IdentitySource } from '../../src/identity/source.ts';
import { type PasswordParts, createPasswordSource } from '../../src/identity/sources/password.ts';
import { createRobotSource } from '../../src/identity/sources/robot.ts';
import { createWorkloadSource } from '../../src/identity/sources/workload.ts';
import { VerifiedPasswords } from '../../src/identity/verified-passwords.ts';
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
