/** The gateway that tests talk to: the built program, as in production, or in the process of the test. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { auditLineSchema } from '../../src/audit/line-schema.ts';
import type { Log } from '../../src/adapters/log/log.ts';
import type { Config } from '../../src/config/load.ts';
import { soleUpstream } from '../../src/config/upstreams.ts';
import { type Gateway, startGateway } from '../../src/main.ts';
import type { AuditRecord } from '../../src/ports.ts';
import { freePort } from './free-port.mjs';
import { startProgram } from './programs.ts';
import type { Exit } from './programs.ts';
import { answersOk } from './registry.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';

/** A folder of its own, with these policy files in `policies/`. */
async function placeWith(policies: GatewayOptions['policies']): Promise<{ dir: string; policiesDir: string }> {
  const dir = await makeTempDir('gateway');
  const policiesDir = join(dir, 'policies');
  await mkdir(policiesDir);
  for (const [name, text] of Object.entries(policies)) await writeFile(join(policiesDir, name), text);
  return { dir, policiesDir };
}

export interface GatewayOptions {
  /** Default: what a file says that `env` names. */
  readonly upstream?: string;
  /** File name to YAML text. */
  readonly policies: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the gateway's own loopback address. */
  readonly publicUrl?: string;
  /** Where the shell sends its standard output: a file, of which nothing is seen here. */
  readonly output?: string;
  /** How large a file it may write, in blocks of 512 bytes. Default: as the tests may. */
  readonly fileBlocks?: number;
  /** How many files it may have open. Default: as many as the tests. */
  readonly openFiles?: number;
  /** A command that runs the program, with its arguments. */
  readonly wrap?: readonly string[];
  /** Of another build. */
  readonly program?: string;
}

export type LogRecord = Readonly<Record<string, unknown>>;

export interface GatewayProcess {
  readonly url: string;
  readonly adminUrl: string;
  readonly pid: number;
  /** Where the policy files lie, for tests that edit them. */
  readonly policiesDir: string;
  readonly exited: Promise<Exit>;
  /** Every JSON line written to standard output so far. */
  readonly logs: () => readonly LogRecord[];
  /** The first record that matches, waited for: the line of a request may come after its reply. */
  readonly findLog: (matches: (record: LogRecord, index: number) => boolean) => Promise<LogRecord>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly stop: (signal?: NodeJS.Signals) => Promise<Exit>;
}

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

/** The built program, as in production: configured by its environment only, in an empty folder. Throws with its output when it does not start. */
export async function startGatewayProcess(options: GatewayOptions): Promise<GatewayProcess> {
  const { dir, policiesDir } = await placeWith(options.policies);
  const port = await freePort();
  const adminPort = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  try {
    const { output, openFiles, fileBlocks, wrap = [] } = options;
    const limit = openFiles === undefined ? [] : ['sh', '-c', 'ulimit -n "$0" && exec "$@"', String(openFiles)];
    const files = fileBlocks === undefined ? [] : ['sh', '-c', 'ulimit -f "$0" && exec "$@"', String(fileBlocks)];
    const redirect = output === undefined ? [] : ['sh', '-c', 'exec "$@" >"$0"', output];
    const [name = '', ...args] = [
      ...wrap,
      ...limit,
      ...files,
      ...redirect,
      process.execPath,
      options.program ?? cli,
      'serve',
    ];
    const program = await startProgram(name, args, {
      cwd: dir,
      env: {
        NODE_ENV: 'production',
        HOME: dir,
        PORTCULLIS_LISTEN: `127.0.0.1:${port}`,
        PORTCULLIS_ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
        PORTCULLIS_PUBLIC_URL: options.publicUrl ?? url,
        ...(options.upstream === undefined ? {} : { PORTCULLIS_UPSTREAM: options.upstream }),
        PORTCULLIS_POLICIES: policiesDir,
        PORTCULLIS_STATE_DIR: join(dir, 'state'),
        ...options.env,
      },
      isReady: () => answersOk(`${adminUrl}/readyz`),
    });
    const logs = (): readonly LogRecord[] => program.stdout().split('\n').flatMap(parseLine);
    return {
      url,
      adminUrl,
      pid: program.pid,
      policiesDir,
      exited: program.exited,
      logs,
      findLog: async (matches) => {
        let found: LogRecord | undefined;
        await program.until(() => (found = logs().find(matches)) !== undefined, `it logged ${matches.toString()}`);
        if (found === undefined) throw new Error('unreachable: until() resolves with a record found');
        return found;
      },
      stdout: program.stdout,
      stderr: program.stderr,
      stop: async (signal) => {
        const exit = await program.stop(signal);
        await removeTempDir(dir);
        return exit;
      },
    };
  } catch (error) {
    await removeTempDir(dir);
    throw error;
  }
}

function parseLine(line: string): readonly LogRecord[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? [value as LogRecord] : [];
  } catch {
    return [];
  }
}

/** A gateway in the process of the test, and everything that it wrote down. */
export interface GatewayHere {
  readonly gateway: Gateway;
  readonly config: Config;
  readonly url: string;
  readonly adminUrl: string;
  readonly port: number;
  /** Where the policy files lie. */
  readonly policiesDir: string;
  readonly records: readonly AuditRecord[];
  /** Everything else that was logged, as text. */
  readonly logged: readonly string[];
  /** What the gateway called an error in its own working; a test that leaves one here has found a bug. */
  readonly errors: readonly string[];
  /** Requests that are being forwarded now. */
  readonly inFlight: () => Promise<number>;
  readonly close: () => Promise<{ readonly clean: boolean }>;
}

/** Throws with its problems when it does not start. `configure` gets the folder that is removed with the gateway. */
export async function startGatewayHere(
  policies: GatewayOptions['policies'],
  configure: (dir: string, policiesDir: string) => Config,
): Promise<GatewayHere> {
  const { dir, policiesDir } = await placeWith(policies);
  const config = configure(dir, policiesDir);
  const records: AuditRecord[] = [];
  const logged: string[] = [];
  const errors: string[] = [];
  const write = (message: string, fields: object = {}): void =>
    void logged.push(`${message} ${JSON.stringify(fields)}`);
  const log: Log = {
    record: (record) => void records.push(record),
    info: write,
    warn: write,
    error: (message, fields) => {
      errors.push(`${message} ${JSON.stringify(fields)}`);
      write(message, fields);
    },
    dropped: () => 0,
    flush: () => {},
  };
  const started = await startGateway({ config, log });
  if (!started.ok) throw new Error(started.problems.map(({ message }) => message).join('\n'));
  const { gateway } = started;
  return {
    ...{ gateway, config, policiesDir, records, logged, errors },
    url: gateway.url,
    adminUrl: gateway.adminUrl,
    port: Number(new URL(gateway.url).port),
    async inFlight() {
      const reply = await fetch(`${gateway.adminUrl}/metrics`);
      return Number(/^portcullis_transfers_in_flight (\d+)$/m.exec(await reply.text())?.[1]);
    },
    async close() {
      const closed = await gateway.close();
      for (const record of records) auditLineSchema.parse({ time: '', ...record });
      // What one request leads to is found together.
      const unnamed = records.filter(({ event, requestId, traceId }) => event !== 'policy' && !(requestId && traceId));
      if (unnamed.length > 0) throw new Error(`records of no request: ${JSON.stringify(unnamed)}`);
      await removeTempDir(dir);
      return closed;
    },
  };
}

export interface TestGateway extends GatewayHere {
  /** A token of dana's for the scopes, over HTTP as a client gets it. */
  readonly token: (...scopes: readonly string[]) => Promise<string>;
}

/** dana's credentials for a Basic header; she may do everything below `mine/` and nothing elsewhere. */
export const basic = Buffer.from('dana:correct horse').toString('base64');

export const policy = `
users:
  dana: { password: "$argon2id$v=19$m=8192,t=1,p=1$iKSpCHSoNI8PAz4ateNqYg$M2VJNCPpSgUmYyHR2e/+3dj57D+SFIDZ+OG0HU6URjk" }
rules:
  - { name: own-area, subjects: ["user:dana"], repositories: ["mine/**"], actions: [pull, push, delete] }
`;

/** Of dana alone, with limits that a test can wait for. */
export async function startTestGateway(
  upstream: string,
  timeouts: Partial<Config['timeouts']> = {},
  redirects: Config['redirects'] = { mode: 'pass', hosts: [] },
): Promise<TestGateway> {
  const here = await startGatewayHere({ 'policy.yaml': policy }, testConfig(upstream, timeouts, redirects));
  return { ...here, token: (...scopes) => tokenFor(here.url, scopes) };
}

/** Of a gateway in the process of the test, in front of `upstream` or of all of `upstreams`. */
export function testConfig(
  upstream: string,
  timeouts: Partial<Config['timeouts']> = {},
  redirects: Config['redirects'] = { mode: 'pass', hosts: [] },
  upstreams?: Config['upstreams'],
): (dir: string, policiesDir: string) => Config {
  const patience = { connectMs: 500, idleMs: 800, responseMs: 1000, drainMs: 1000, leaveMs: 0, ...timeouts };
  return (dir, policiesDir) => ({
    listen: { host: '127.0.0.1', port: 0 },
    publicUrl: 'http://registry.test',
    enforce: 'proxy',
    upstreams: upstreams ?? [soleUpstream(upstream, { timeouts: patience, redirects })],
    policies: [policiesDir],
    stateDir: join(dir, 'state'),
    redis: undefined,
    trustedProxies: [],
    admin: { listen: { host: '127.0.0.1', port: 0 } },
    tokens: {
      service: 'registry.test',
      accessTtlSeconds: 900,
      refreshTtlSeconds: 3600,
      personalMaxTtlSeconds: 90 * 86_400,
    },
    page: { enabled: true, anonymous: 'auto', showPushers: 'authenticated' },
    logins: { htpasswd: undefined, ldap: undefined, oidc: undefined },
    timeouts: patience,
    redirects,
    cache: { memoryBytes: 67_108_864, blobBytes: 65_536, tagTtlMs: 5000, contentTtlMs: 600_000, staleIfErrorMs: 0 },
    audit: { directory: undefined, keepMs: 90 * 86_400_000, isChained: true, isRequired: false, hasStdout: true },
  });
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
