import argon2 from 'argon2';
import type { Login } from '../../support/clients.ts';
import { startGatewayProcess } from '../../support/gateway.ts';
import type { Need } from '../../support/programs.ts';
import { startRegistry } from '../../support/registry.ts';

/** A kind of registry to compare in front of. */
export interface Backend {
  readonly name: string;
  readonly needs: readonly Need[];
  readonly start: () => Promise<{ readonly url: string; readonly stop: () => Promise<void> }>;
}

/** Another registry is another line. */
export const backends: readonly Backend[] = [
  { name: 'distribution 2.8', needs: ['docker-registry'], start: () => startRegistry({ delete: true }) },
];

/** What a client is pointed at, and where to look up what it left behind. */
export interface Site {
  readonly url: string;
  /** As image names begin. */
  readonly host: string;
  /** The registry itself, whoever stands in front of it. */
  readonly registryUrl: string;
}

export interface Sites {
  /** An open registry. */
  readonly bare: Site;
  /** Another one of the same kind and settings, behind the gateway. */
  readonly guarded: Site;
  /** An account that may do everything; the open registry does not ask. */
  readonly login: Login;
  readonly stop: () => Promise<void>;
}

export async function startSites(backend: Backend): Promise<Sites> {
  const login = { account: 'anna', password: 'may do everything' };
  const hash = await argon2.hash(login.password, {
    type: argon2.argon2id,
    memoryCost: 8192,
    timeCost: 1,
    parallelism: 1,
  });
  const policy = `
users: { ${login.account}: { password: '${hash}' } }
rules:
  - name: everything
    subjects: ['user:${login.account}']
    repositories: ['**']
    actions: [pull, push, delete, catalog]
`;
  const [open, behind] = await Promise.all([backend.start(), backend.start()]);
  const gateway = await startGatewayProcess({ upstream: behind.url, policies: { 'everything.yaml': policy } });
  return {
    bare: { url: open.url, host: new URL(open.url).host, registryUrl: open.url },
    guarded: { url: gateway.url, host: new URL(gateway.url).host, registryUrl: behind.url },
    login,
    stop: async () => {
      await gateway.stop();
      await Promise.all([open.stop(), behind.stop()]);
    },
  };
}
