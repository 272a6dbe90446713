/**
 * Alerts, dashboard and metrics as a real Prometheus takes them: the alerts by its own tests, every expression by its answer
 * after some traffic of all kinds.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { makeCertificate } from './support/certificate.ts';
import { eventually } from './support/eventually.ts';
import { freePort } from './support/free-port.mjs';
import { type GatewayProcess, startGatewayProcess } from './support/gateway.ts';
import { quickHash } from './support/policies.ts';
import { type Program, describeWithPrograms, run, startProgram } from './support/programs.ts';
import { type RedisServer, startRedisServer } from './support/redis.ts';
import { createApi, sha256 } from './support/registry-api.ts';
import { type RegistryProcess, answersOk, startRegistry } from './support/registry.ts';
import { makeTempDir, removeTempDir } from './support/temp-dir.ts';
import { projectDir } from './support/trial.ts';

const prometheusDir = join(projectDir, 'deploy/prometheus');
const rulesFile = join(prometheusDir, 'rules.yaml');

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}
interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}
const rules = (
  parse(readFileSync(rulesFile, 'utf8')) as { readonly groups: readonly { readonly rules: readonly Rule[] }[] }
).groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(readFileSync(join(projectDir, 'deploy/grafana/portcullis.json'), 'utf8')) as {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
};
const panels = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));

/** The expression as it is charted, with Grafana's variables as it would put them in for all gateways. */
const charted = (expr: string): string =>
  expr.replaceAll('$job', '.+').replaceAll('$instance', '.+').replaceAll('$__rate_interval', '30s');
/** Whether it holds or not instead of nothing while it does not: all that it asks for has to be there. */
const weighed = (expr: string): string =>
  expr.replace(/^absent\((.*)\)$/s, '$1').replaceAll(/ (==|>) (?=[\d.])/g, ' $1 bool ');
const namesIn = (text: string): readonly string[] =>
  [...text.matchAll(/\b(?:portcullis|process|nodejs)_[a-z_]+/g)].map(([name]) => name.replace(/_bucket$/, ''));

test('there are 13 alerts, each of which says how bad it is, what is wrong, what to do and where more is said', () => {
  const page = readFileSync(join(projectDir, 'docs/operations.md'), 'utf8');
  expect(rules).toHaveLength(13);
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(13);
  for (const { alert, labels, annotations } of rules) {
    expect(['warning', 'critical'], alert).toContain(labels['severity']);
    expect(annotations['runbook']).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    expect(page).toContain(`\n### ${alert}\n`);
    for (const words of ['summary', 'action']) expect(annotations[words]?.length ?? 0, alert).toBeGreaterThan(20);
  }
});

test('the dashboard asks one data source, and all that it shows is of the chosen jobs and gateways', () => {
  expect(dashboard.templating.list.map(({ name }) => name)).toEqual(['datasource', 'job', 'instance']);
  expect(dashboard.panels.filter(({ type }) => type === 'row')).toHaveLength(6);
  for (const { title, expr } of panels)
    for (const [selector] of expr.matchAll(/\b(?:portcullis|process|nodejs)_[a-z_]+(?:\{[^}]*\})?|\bup\{[^}]*\}/g))
      expect(selector, title).toContain('job=~"$job",instance=~"$instance"');
});

describeWithPrograms(['promtool'], 'promtool', () => {
  test('finds each alert firing when it should, not before, and not when all is well', async () => {
    const checked = await run('promtool', ['check', 'rules', rulesFile]);
    expect(checked, checked.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('13 rules') });
    const tests = join(prometheusDir, 'rules.test.yaml');
    const tested = await run('promtool', ['test', 'rules', tests]);
    expect(tested, tested.stdout + tested.stderr).toMatchObject({ code: 0 });
    const text = readFileSync(tests, 'utf8');
    for (const { alert } of rules)
      for (const name of [alert, `${alert}, when all is well`]) expect(text).toContain(`- name: ${name}\n`);
  });
});

const programs = ['prometheus', 'promtool', 'docker-registry', 'redis-server', 'openssl'];
describeWithPrograms(programs, 'a real Prometheus, after pulls, pushes, logins, refusals and limits', () => {
  let dir: string;
  let registry: RegistryProcess;
  let redis: RedisServer;
  let gateways: readonly GatewayProcess[];
  let prometheus: Program;
  let url: string;
  const password = 'as long as it runs';

  beforeAll(async () => {
    dir = await makeTempDir('prometheus');
    const [cert, key, htpasswd] = ['tls.crt', 'tls.key', 'htpasswd'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    await makeCertificate(cert, key);
    await writeFile(htpasswd, `zoe:$2y$04$${'.'.repeat(53)}\n`);
    [registry, redis] = await Promise.all([startRegistry(), startRedisServer()]);
    const policies = { 'team.yaml': policyOf(await quickHash(password)) };
    const env = {
      PORTCULLIS_UPSTREAMS_MAIN_URL: registry.url,
      PORTCULLIS_UPSTREAMS_AWAY_URL: `http://127.0.0.1:${await freePort()}`,
      PORTCULLIS_UPSTREAMS_AWAY_PREFIX: 'away',
      PORTCULLIS_REDIS: redis.url,
      PORTCULLIS_LOGINS_HTPASSWD_FILE: htpasswd,
    };
    const plain = await startGatewayProcess({ policies, env });
    const tls = { PORTCULLIS_TLS_CERT: cert, PORTCULLIS_TLS_KEY: key };
    gateways = [plain, await startGatewayProcess({ policies, env: { ...env, ...tls }, publicUrl: 'https://r.test' })];
    await traffic(plain.url);
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const config = join(dir, 'prometheus.yml');
    const targets = gateways.map(({ adminUrl }) => new URL(adminUrl).host);
    const scrape = { job_name: 'portcullis', static_configs: [{ targets }] };
    const global = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
    await writeFile(config, JSON.stringify({ global, rule_files: [rulesFile], scrape_configs: [scrape] }));
    const args = [`--config.file=${config}`, `--storage.tsdb.path=${join(dir, 'data')}`];
    prometheus = await startProgram('prometheus', [...args, `--web.listen-address=127.0.0.1:${port}`], {
      isReady: () => answersOk(`${url}/-/ready`),
    });
    // A rate needs two looks with traffic between them.
    await eventually('both gateways were looked at', async () => (await ask('up == 1')).length === 2, 30_000);
    await traffic(plain.url);
    const looks = async (): Promise<number> => Number((await ask('min(count_over_time(up[1m]))'))[0]?.value[1] ?? 0);
    await eventually('they were looked at four times', async () => (await looks()) >= 4, 30_000);
  });
  afterAll(async () => {
    await prometheus?.stop();
    for (const gateway of gateways ?? []) await gateway.stop();
    await redis?.stop();
    await registry?.stop();
    await removeTempDir(dir);
  });

  const policyOf = (hash: string): string => `
users: { dana: { password: '${hash}' } }
rules:
  - { name: work, subjects: [user:dana], repositories: ['team/**', 'release/**', 'away/**'], actions: [pull, push] }
  - { name: trial, effect: deny, mode: shadow, subjects: [everyone], repositories: ['team/**'], actions: [pull] }
limits:
  - { name: tokens, subjects: [authenticated], count: token, per: account, rate: 3/1h }
gates:
  - { name: approved, repositories: ['release/**'], from: ['integration/**'] }
`;

  /** Some of everything that clients do, good and wrong. */
  async function traffic(at: string): Promise<void> {
    const dana = createApi(at, 'dana', password);
    expect((await dana.push('team/app', 'v1')).status).toBe(201);
    for (const path of [
      'team/app/manifests/v1',
      'team/app/tags/list',
      `away/app/blobs/${sha256('')}`,
      'other/app/tags/list',
    ])
      await (await dana.request('GET', `/v2/${path}`)).arrayBuffer();
    await dana.push('release/app', 'v1');
    for (let n = 0; n < 5; n++) await dana.request('GET', '/token?scope=repository:team/app:pull&offline_token=true');
    // One decision of 64 is timed; the same wrong password again is not hashed.
    for (let n = 0; n < 64; n++) await dana.request('HEAD', '/v2/team/app/manifests/v1');
    await createApi(at, 'dana', randomUUID()).request('GET', '/v2/');
    await createApi(at).request('GET', '/v2/');
  }

  interface Sample {
    readonly metric: Readonly<Record<string, string>>;
    readonly value: readonly [number, string];
  }
  async function ask(expr: string): Promise<readonly Sample[]> {
    const reply = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query: expr }).toString()}`);
    const body = (await reply.json()) as { status: string; error?: string; data?: { result: readonly Sample[] } };
    expect(body.status, `${expr}: ${body.error ?? ''}`).toBe('success');
    return body.data?.result ?? [];
  }
  const shown = async (): Promise<string> =>
    (await Promise.all(gateways.map(async ({ adminUrl }) => (await fetch(`${adminUrl}/metrics`)).text()))).join('');

  test.each(panels)('answers "$title" of the dashboard: $expr', async ({ expr }) => {
    const answer = await ask(charted(expr));
    expect(answer.length, expr).toBeGreaterThan(0);
    // A quantile of what did not happen meanwhile is NaN; of the rates something did.
    expect(
      answer.some(({ value }) => value[1] !== 'NaN'),
      expr,
    ).toBe(true);
  });

  test.each(rules)('answers all that $alert asks for', async ({ expr }) => {
    expect((await ask(weighed(expr))).length, expr).toBeGreaterThan(0);
  });

  test('finds nothing to say about the metrics, of either gateway', async () => {
    for (const { adminUrl } of gateways) {
      const input = await (await fetch(`${adminUrl}/metrics`)).text();
      expect(input.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length).toBeLessThan(1500);
      expect(await run('promtool', ['check', 'metrics'], { input })).toMatchObject({ code: 0, stdout: '', stderr: '' });
    }
  });

  test('is asked only for metrics that there are, and for all of them', async () => {
    const names = new Set([...(await shown()).matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name));
    const asked = new Set(namesIn([...rules, ...panels].map(({ expr }) => expr).join('\n')));
    expect([...asked].filter((name) => !names.has(name))).toEqual([]);
    expect([...names].filter((name) => !asked.has(name))).toEqual([]);
  });

  test('reads the alerts, and the one about a registry that is away comes to fire', async () => {
    const loaded = (await (await fetch(`${url}/api/v1/rules`)).json()) as {
      readonly data: { readonly groups: readonly { readonly rules: readonly { readonly health: string }[] }[] };
    };
    const read = loaded.data.groups.flatMap((group) => group.rules);
    expect(read).toHaveLength(13);
    expect(new Set(read.map(({ health }) => health))).toEqual(new Set(['ok']));
    const pending = await ask('ALERTS{alertname="PortcullisRegistryDown"}');
    expect(pending.map(({ metric }) => metric['upstream'])).toEqual(['away']);
  });
});

describe('the words of this file', () => {
  test('weigh what an alert asks for', () => {
    expect(weighed('absent(up{job="a"} == 1)')).toBe('up{job="a"} == bool 1');
    expect(weighed('a / b > 0.02 and c > 0.1')).toBe('a / b > bool 0.02 and c > bool 0.1');
    expect(weighed('a - time() < 14 * 86400')).toBe('a - time() < 14 * 86400');
  });
});
