import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../../src/adapters/log/log.ts';
import type { Config } from '../../../src/config/load.ts';
import { startGateway } from '../../../src/main.ts';
import type { AuditRecord } from '../../../src/ports.ts';
import { makeTempDir, removeTempDir } from '../../support/temp-dir.ts';

export interface TestGateway {
  readonly url: string;
  readonly adminUrl: string;
  readonly port: number;
  readonly records: readonly AuditRecord[];
  /** What the gateway called an error in its own working; a test that leaves one here has found a bug. */
  readonly errors: readonly string[];
  /** A token of dana's for the scopes, over HTTP as a client gets it. */
  readonly token: (...scopes: readonly string[]) => Promise<string>;
  /** Requests that are being forwarded now. */
  readonly inFlight: () => Promise<number>;
  readonly close: () => Promise<{ readonly clean: boolean }>;
}

/** dana's credentials for a Basic header; she may do everything below `mine/` and nothing elsewhere. */
export const basic = Buffer.from('dana:correct horse').toString('base64');

export const policy = `
users:
  dana: { password: "$argon2id$v=19$m=8192,t=1,p=1$iKSpCHSoNI8PAz4ateNqYg$M2VJNCPpSgUmYyHR2e/+3dj57D+SFIDZ+OG0HU6URjk" }
rules:
  - { name: own-area, subjects: ["user:dana"], repositories: ["mine/**"], actions: [pull, push, delete] }
`;

/** The gateway in this process, with limits that a test can wait for. */
export async function startTestGateway(
  upstreamUrl: string,
  timeouts: Partial<Config['timeouts']> = {},
  redirects: Config['redirects'] = { mode: 'pass', hosts: [] },
): Promise<TestGateway> {
  const dir = await makeTempDir('hostile');
  const policies = join(dir, 'policies');
  await mkdir(policies);
  await writeFile(join(policies, 'policy.yaml'), policy);
  const config: Config = {
    listen: { host: '127.0.0.1', port: 0 },
    publicUrl: 'http://registry.test',
    upstream: upstreamUrl,
    policies: [policies],
    stateDir: join(dir, 'state'),
    redis: undefined,
    trustedProxies: [],
    admin: { listen: { host: '127.0.0.1', port: 0 } },
    tokens: { service: 'registry.test', accessTtlSeconds: 900, refreshTtlSeconds: 3600 },
    timeouts: { connectMs: 500, idleMs: 800, responseMs: 1000, drainMs: 1000, leaveMs: 0, ...timeouts },
    redirects,
  };
  const records: AuditRecord[] = [];
  const errors: string[] = [];
  const log: Log = {
    record: (record) => void records.push(record),
    info: () => {},
    warn: () => {},
    error: (message, fields) => void errors.push(`${message} ${JSON.stringify(fields)}`),
    dropped: () => 0,
    flush: () => {},
  };
  const started = await startGateway({ config, upstreamUrl, log });
  if (!started.ok) throw new Error(started.problems.map((problem) => problem.message).join('\n'));
  const { gateway } = started;
  return {
    url: gateway.url,
    adminUrl: gateway.adminUrl,
    port: Number(new URL(gateway.url).port),
    records,
    errors,
    token: (...scopes) => tokenFor(gateway.url, scopes),
    async inFlight() {
      const reply = await fetch(`${gateway.adminUrl}/metrics`);
      return Number(/^portcullis_transfers_in_flight (\d+)$/m.exec(await reply.text())?.[1]);
    },
    async close() {
      const closed = await gateway.close();
      await removeTempDir(dir);
      return closed;
    },
  };
}

/** A token of dana's, over HTTP as a client gets it. */
export async function tokenFor(url: string, scopes: readonly string[]): Promise<string> {
  const query = new URLSearchParams([
    ['service', 'registry.test'],
    ...scopes.map((scope): [string, string] => ['scope', scope]),
  ]);
  const reply = await fetch(`${url}/token?${query.toString()}`, { headers: { authorization: `Basic ${basic}` } });
  const body = (await reply.json()) as { readonly token: string };
  return body.token;
}
