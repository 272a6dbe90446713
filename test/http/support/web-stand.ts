/** The page by itself, over HTTP: a clock that a test sets, pages and forms that a test writes. */
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createMemoryFailedLogins } from '../../../src/adapters/memory/failed-logins.ts';
import { createMemoryRateLimiter } from '../../../src/adapters/memory/rate-limiter.ts';
import { createMemorySessionStore } from '../../../src/adapters/memory/session-store.ts';
import { beginExchange } from '../../../src/http/front/exchange.ts';
import { welcomePage } from './welcome.tsx';
import { type WebParts, createWeb } from '../../../src/http/web/router.ts';
import { createLoginGuard } from '../../../src/identity/login-guard.ts';
import { readPageAssets } from '../../../src/page-assets.ts';
import type { AuditRecord, SessionStore } from '../../../src/ports.ts';
import { type IdentitySetup, identityOf } from '../../support/identity.ts';
import { makeKey, ringOf } from '../../support/keys.ts';
import { compile } from '../../support/policies.ts';

export interface WebStand {
  readonly url: string;
  /** Milliseconds since 1970; a test lets it run. */
  now: number;
  policy: ReturnType<typeof compile>;
  readonly sessions: SessionStore;
  readonly records: AuditRecord[];
  /** Whatever was thrown. */
  readonly errors: unknown[];
  readonly close: () => Promise<void>;
}

export interface StandOptions extends Partial<Omit<WebParts<unknown>, 'front' | 'identity' | 'policies' | 'sessions'>> {
  readonly policy: string;
  readonly publicUrl?: string;
  /** Stands in for the store of sessions. */
  readonly sessions?: (store: SessionStore) => SessionStore;
  readonly identity?: Partial<IdentitySetup>;
}

export const start = Date.UTC(2026, 10, 26, 12);

export async function standWeb(options: StandOptions): Promise<WebStand> {
  const { publicUrl = 'https://registry.test', policy, sessions: standIn, identity: setup, ...web } = options;
  const clock = (): number => stand.now;
  const store = createMemorySessionStore({
    file: undefined,
    revocationMemorySeconds: 3600,
    clock,
    onProblem: (problem) => void stand.errors.push(problem),
  });
  const sessions = standIn?.(store) ?? store;
  const failedLogins = createMemoryFailedLogins(clock);
  const policies = { current: () => stand.policy };
  const guard = createLoginGuard(failedLogins, ringOf(await makeKey()));
  const identity = identityOf({ policies, clock, sessions, guard, ...setup });
  const front = {
    publicUrl,
    service: 'registry.test',
    audit: { record: (record: AuditRecord) => void stand.records.push(record) },
    clock,
    onError: (error: unknown) => void stand.errors.push(error),
  };
  const page = createWeb<unknown>({
    ...{ front, identity, policies, sessions, failedLogins },
    limiter: createMemoryRateLimiter(() => clock() * 1000),
    endsTls: false,
    anonymous: 'auto',
    assets: readPageAssets(),
    pages: [welcomePage],
    forms: [],
    doors: [],
    parts: undefined,
    version: '1.2.3',
    revision: () => '0123456789ab',
    warning: () => undefined,
    ...web,
  });
  const server: Server = createServer((request, response) => {
    const about = { publicUrl, trustedProxies: [], now: clock(), expectsContinue: false };
    void page.handle(beginExchange(request, response, about));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stand: WebStand = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    now: start,
    policy: compile(policy),
    sessions,
    records: [],
    errors: [],
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return stand;
}
