/** What `doctor` asks: this machine, the network, and the gateway that runs on this configuration. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { wordsOf } from '../adapters/failure.ts';
import { readHtpasswdFile } from '../adapters/files/htpasswd-file.ts';
import { readKeyFiles } from '../adapters/files/key-ring.ts';
import { createMachine } from '../adapters/probes/machine.ts';
import { createWeb } from '../adapters/probes/web.ts';
import type { Config } from '../config/load.ts';
import { configKeys } from '../config/schema.ts';
import type { UpstreamTerms } from '../config/upstreams.ts';
import { field } from '../distribution/json.ts';
import { type Context, type RunningAccount, type RunningGateway, once } from '../doctor/context.ts';
import type { Failure, WebAnswer } from '../ports/doctor.ts';
import { certificateProblem, readCertificate } from '../gateway/certificate.ts';
import { isLoopback } from '../network/host.ts';
import { unexercisedRules } from '../policy/analysis/test-run.ts';
import { compileByName } from '../policy/by-name.ts';
import { adminAddress, callAdmin } from './admin-client.ts';
import { findingsOf } from './check.ts';
import type { Configuration } from './configuration.ts';
import { readConfigured } from './policy-paths.ts';

export interface Wishes {
  readonly isOffline: boolean;
  readonly from: readonly string[];
  readonly login: Context['login'];
  readonly writeTo: string | undefined;
}

const askMs = 3000;

/** Nothing is asked yet but files. What is asked ends with `signal`. */
export async function openContext(
  configuration: Extract<Configuration, { readonly ok: true }>,
  { isOffline, ...wishes }: Wishes,
  signal: AbortSignal,
): Promise<Context> {
  const { config, placeOf } = configuration;
  const [findings, reading] = await Promise.all([findingsOf([]), readConfigured(configuration)]);
  const policy = reading.ok ? reading.policy : undefined;
  const web = createWeb(signal);
  const mayReach = (url: string): boolean => !isOffline || isHere(url);
  const authorities = (path: string): string | undefined => textOf(path);
  const asked = new Map(config.upstreams.map((each) => [each, once(() => askRegistry(each))] as const));
  const askRegistry = ({ url, ca }: UpstreamTerms): Promise<WebAnswer | Failure> =>
    web.ask(`${url}/v2/`, ca === undefined ? {} : { ca: authorities(ca) });
  const frontPath = config.enforce === 'token' ? '/.well-known/jwks.json' : '/v2/';
  return {
    ...{ config, placeOf, findings, policy, web, mayReach, authorities, ...wishes },
    keys: configKeys(config.upstreams.map(({ name }) => name)).map(({ key }) => key),
    unexercised:
      policy === undefined ? [] : unexercisedRules(compileByName(policy), Date.now()).map(({ name }) => name),
    signingKeys: () => signingKeys(configuration),
    certificateProblem: () => unfitCertificate(config.tls),
    htpasswd: () => htpasswdUsers(config),
    machine: createMachine(process.argv[1] ?? ''),
    gateway: runningGateway(configuration, mayReach, web),
    redis: config.redis === undefined ? undefined : once(() => inspect(config.redis?.reveal() ?? '')),
    front: once(() => web.ask(config.publicUrl + frontPath, { believesAnybody: true })),
    registry: (upstream) => asked.get(upstream)?.() ?? askRegistry(upstream),
    registryLogin: async (upstream) =>
      (await import('../gateway/registry-pings.ts')).pingByLogin(upstream, config.publicUrl, askMs),
    nodeVersion: process.versions.node,
    env: process.env,
    now: Date.now,
  };
}

async function htpasswdUsers({ logins: { htpasswd } }: Config): ReturnType<Context['htpasswd']> {
  const reading = htpasswd && (await readHtpasswdFile(htpasswd.file));
  return reading?.ok === true ? reading.people.users : new Map();
}

function isHere(url: string): boolean {
  return isLoopback(new URL(url).hostname);
}

async function inspect(url: string) {
  // Only where there is a Redis the driver is loaded.
  return (await import('../adapters/redis/inspection.ts')).inspectRedis(url);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function unfitCertificate(files: { readonly cert: string; readonly key: string } | undefined): string | undefined {
  if (files === undefined) return undefined;
  try {
    return certificateProblem(readCertificate(files), Date.now());
  } catch (error) {
    return `the certificate cannot be read: ${wordsOf(error)}`;
  }
}

/** None where the first start will make one. */
function signingKeys({ config }: Extract<Configuration, { readonly ok: true }>): ReturnType<Context['signingKeys']> {
  const own = join(config.stateDir, 'keys');
  const directory = config.tokens.keys ?? own;
  const isYetToBeMade = config.tokens.keys === undefined && createMachine('').kindOf(own) === undefined;
  if (isYetToBeMade) return [];
  const reading = readKeyFiles(directory, false);
  if (!reading.ok) return { problems: reading.problems };
  return reading.files.map(({ key, made, isNext }) => ({ kid: key.kid, made, isNext }));
}

function runningGateway(
  { config }: Extract<Configuration, { readonly ok: true }>,
  mayReach: (url: string) => boolean,
  web: Context['web'],
): RunningGateway {
  const origin = `http://${adminAddress(config)}`;
  async function ask<T>(path: string, read: (body: unknown) => T): Promise<T | Failure> {
    if (!mayReach(origin)) return { failed: '--offline: it is not on a loopback address' };
    const reply = await callAdmin(config, 'GET', path, askMs);
    return reply.ok ? read(reply.body) : { failed: reply.message };
  }
  return {
    policy: once(() =>
      ask('/policy', (body) => ({
        revision: text(field(body, 'revision')) ?? '',
        problems: list(field(body, 'problems')).map((each) => placed(each)),
      })),
    ),
    records: () =>
      ask('/activity?limit=200', (body) =>
        list(field(body, 'records')).map((each) => ({
          address: text(field(each, 'address')),
          userAgent: text(field(each, 'userAgent')),
        })),
      ),
    async accounts() {
      const all: RunningAccount[] = [];
      for (let after: string | undefined = ''; after !== undefined;) {
        const page: AccountsPage | Failure = await ask(
          `/accounts?limit=1000&after=${encodeURIComponent(after)}`,
          accountsIn,
        );
        if ('failed' in page) return page;
        all.push(...page.accounts);
        after = page.next;
      }
      return all;
    },
    troubles: once(() =>
      ask('/health', (body) =>
        list(field(body, 'checks'))
          .filter((each) => field(each, 'state') !== 'ok')
          .map((each) => ({ name: text(field(each, 'name')) ?? '', detail: text(field(each, 'detail')) ?? '' })),
      ),
    ),
    async tell(findings) {
      const checks = findings.map(({ found, fix, ...rest }) => ({ ...rest, found: cut(found), fix: fix && cut(fix) }));
      if (mayReach(origin)) await callAdmin(config, 'POST', '/doctor', askMs, { checks });
    },
    metrics: once(async () => {
      if (!mayReach(origin)) return { failed: '--offline: it is not on a loopback address' };
      const answer = await web.ask(`${origin}/metrics`, { withinMs: askMs });
      return 'failed' in answer ? answer : answer.body;
    }),
  };
}

interface AccountsPage {
  readonly accounts: readonly RunningAccount[];
  readonly next: string | undefined;
}

function accountsIn(body: unknown): AccountsPage {
  const accounts = list(field(body, 'accounts')).map((each) => ({
    name: text(field(each, 'name')) ?? '',
    secrets: list(field(each, 'secrets')).map((secret) => ({
      id: text(field(secret, 'id')) ?? '',
      marks: list(field(secret, 'marks')).flatMap((mark) => text(mark) ?? []),
    })),
  }));
  return { accounts, next: text(field(body, 'next')) };
}

function placed(problem: unknown): string {
  return `${text(field(problem, 'file')) ?? ''}:${String(field(problem, 'line'))}: ${text(field(problem, 'message')) ?? ''}`;
}

function cut(words: string): string {
  return words.length > 200 ? `${words.slice(0, 199)}…` : words;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
