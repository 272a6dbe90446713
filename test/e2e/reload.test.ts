import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import argon2 from 'argon2';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { withoutIds } from '../support/error-body.ts';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms, run } from '../support/programs.ts';
import { pushImage } from '../support/image.ts';
import { startRegistry, type RegistryProcess } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const password = 'edit-without-fear';
let hash: string;

/** Dana may pull the given areas. */
function policy(areas: readonly string[], extra = ''): string {
  const repositories = areas.map((area) => `"${area}/**"`).join(', ');
  return `
users: { dana: { password: "${hash}" } }
rules: [{ name: pulls, subjects: [user:dana], repositories: [${repositories}], actions: [pull] }]
${extra}`;
}

describeWithPrograms(['docker-registry'], 'editing policies under a running gateway', () => {
  let registry: RegistryProcess;
  let gateway: GatewayProcess | undefined;

  beforeAll(async () => {
    hash = await argon2.hash(password, { type: argon2.argon2id, memoryCost: 8192, timeCost: 1, parallelism: 1 });
    registry = await startRegistry({ delete: true });
    for (const area of ['one', 'two', 'three', 'four']) await pushImage(registry.url, `${area}/app`, 'latest');
    return () => registry.stop();
  });
  afterEach(async () => {
    await gateway?.stop();
  });

  /** One token for all four areas, so that only the live policy can make a difference. */
  async function liveToken(url: string): Promise<string> {
    const scopes = ['one', 'two', 'three', 'four'].map((area) => `scope=repository:${area}/app:pull`).join('&');
    const authorization = `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`;
    const reply = await fetch(`${url}/token?${scopes}`, { headers: { authorization } });
    return ((await reply.json()) as { token: string }).token;
  }

  async function pull(url: string, token: string, area: string): Promise<number> {
    const reply = await fetch(`${url}/v2/${area}/app/manifests/latest`, {
      headers: { authorization: `Bearer ${token}`, accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
    await reply.arrayBuffer();
    return reply.status;
  }

  const reloads = (running: GatewayProcess, reason: string): number =>
    running.logs().filter((line) => line['event'] === 'policy' && line['reason'] === reason).length;

  /** The `count`-th reload that ended so; the log line is the event. */
  async function reloaded(running: GatewayProcess, reason: string, count: number): Promise<void> {
    await running.findLog((line) => line['event'] === 'policy' && reloads(running, reason) >= count);
  }

  test('taking a right away is felt by a token that was issued before', async () => {
    const running = (gateway = await startGatewayProcess({
      upstream: registry.url,
      policies: { 'p.yaml': policy(['one', 'two']) },
    }));
    const token = await liveToken(running.url);
    expect(await pull(running.url, token, 'two')).toBe(200);
    await writeFile(join(running.policiesDir, 'p.yaml'), policy(['one']));
    await reloaded(running, 'reloaded', 1);
    expect(await pull(running.url, token, 'two')).toBe(403);
    expect(await pull(running.url, token, 'one')).toBe(200);
  });

  test('what stands in no rule is in force after an edit as before: gates and limits', async () => {
    const extra = `
gates: [{ name: approved, repositories: ["two/**"], from: ["one/**"], fromTags: ["approved-*"] }]
limits: [{ name: few, subjects: [authenticated], count: pull, per: account, rate: 1000/6h }]
`;
    const writing = {
      'w.yaml': 'rules: [{ name: w, subjects: [user:dana], repositories: ["**"], actions: [push] }]\n',
    };
    const running = (gateway = await startGatewayProcess({
      upstream: registry.url,
      policies: { 'p.yaml': policy(['one', 'two'], extra), ...writing },
    }));
    const headers = {
      authorization: `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`,
      'content-type': 'application/vnd.oci.image.manifest.v1+json',
      accept: 'application/vnd.oci.image.manifest.v1+json',
    };
    const known = await (await fetch(`${registry.url}/v2/one/app/manifests/latest`, { headers })).text();
    const manifest = `${known} `;
    const seen = async (): Promise<readonly unknown[]> => {
      const target = `${running.url}/v2/two/app/manifests/v1`;
      const pushed = await fetch(target, { method: 'PUT', headers, body: manifest });
      const pulled = await fetch(`${running.url}/v2/one/app/manifests/latest`, { headers });
      return [pushed.status, withoutIds(await pushed.text()), pulled.headers.get('ratelimit-limit')];
    };
    const before = await seen();
    expect(before).toEqual([403, expect.stringContaining('is not in one/app'), '1000;w=21600']);
    await writeFile(join(running.policiesDir, 'p.yaml'), policy(['one', 'two', 'three'], extra));
    await reloaded(running, 'reloaded', 1);
    expect(await seen()).toEqual(before);
  });

  test('three Kubernetes symlink swaps in a row are all put into force', async () => {
    const dir = await makeTempDir('configmap');
    const areas = ['one', 'two', 'three', 'four'];
    const publish = async (area: string): Promise<void> => {
      const revision = join(dir, `..${area}`);
      await mkdir(revision);
      await writeFile(join(revision, 'p.yaml'), policy([area]));
      await symlink(`..${area}`, join(dir, '..data_tmp'));
      await rename(join(dir, '..data_tmp'), join(dir, '..data'));
    };
    try {
      await publish('one');
      await symlink('..data/p.yaml', join(dir, 'p.yaml'));
      const running = (gateway = await startGatewayProcess({
        upstream: registry.url,
        policies: {},
        env: { PORTCULLIS_POLICIES: dir },
      }));
      const authorization = `Basic ${Buffer.from(`dana:${password}`).toString('base64')}`;
      for (const [index, area] of areas.slice(1).entries()) {
        await publish(area);
        await reloaded(running, 'reloaded', index + 1);
        const statuses = await Promise.all(
          areas.map(async (name) => {
            const headers = { authorization, accept: 'application/vnd.oci.image.manifest.v1+json' };
            return (await fetch(`${running.url}/v2/${name}/app/manifests/latest`, { headers })).status;
          }),
        );
        expect(statuses).toEqual(areas.map((name) => (name === area ? 200 : 403)));
        await rm(join(dir, `..${areas[index] ?? ''}`), { recursive: true });
      }
    } finally {
      await removeTempDir(dir);
    }
  });

  test('`check` names the revision that a gateway shows once it has the edit in force', async () => {
    const running = (gateway = await startGatewayProcess({
      upstream: registry.url,
      policies: { 'p.yaml': policy(['one']), 'q.yaml': 'groups: { later: }' },
    }));
    const inForce = async (): Promise<string | undefined> =>
      /policy ok: revision ([0-9a-f]+)/.exec(await (await fetch(`${running.adminUrl}/readyz?verbose`)).text())?.[1];
    const checked = async (): Promise<unknown> => {
      const { stdout } = await run(process.execPath, [program, 'check', running.policiesDir, '--json'], { cwd: '/' });
      return (JSON.parse(stdout) as { revision: unknown }).revision;
    };
    const before = await checked();
    expect(await inForce()).toBe(before);
    await writeFile(join(running.policiesDir, 'p.yaml'), policy(['one', 'two']));
    await reloaded(running, 'reloaded', 1);
    expect(await checked()).not.toBe(before);
    expect(await inForce()).toBe(await checked());
  });

  test('an edit whose own tests fail is not put into force, and its line is in log and readiness', async () => {
    const running = (gateway = await startGatewayProcess({
      upstream: registry.url,
      policies: { 'p.yaml': policy(['one', 'two']) },
    }));
    const token = await liveToken(running.url);
    const broken = policy(['one'], 'tests: [{ name: dana reads two, as: user:dana, allow: [pull two/app] }]');
    await writeFile(join(running.policiesDir, 'p.yaml'), broken);
    await reloaded(running, 'reload_refused', 1);
    expect(await pull(running.url, token, 'two')).toBe(200);
    const readiness = await fetch(`${running.adminUrl}/readyz?verbose`);
    expect(readiness.status).toBe(200);
    expect(await readiness.text()).toMatch(
      /policy degraded: .*p\.yaml:4:.*test "dana reads two" fails: pull two\/app should be allowed/,
    );
    const metrics = await (await fetch(`${running.adminUrl}/metrics`)).text();
    expect(metrics).toContain('portcullis_policy_last_reload_successful 0');
    await writeFile(join(running.policiesDir, 'p.yaml'), policy(['one']));
    await reloaded(running, 'reloaded', 1);
    expect(await pull(running.url, token, 'two')).toBe(403);
    expect(await (await fetch(`${running.adminUrl}/metrics`)).text()).toContain(
      'portcullis_policy_last_reload_successful 1',
    );
  });

  test('a file that is cut, emptied, unreadable or deleted changes nothing, and the next good one is taken', async () => {
    const whole = policy(['one', 'two']);
    const running = (gateway = await startGatewayProcess({ upstream: registry.url, policies: { 'p.yaml': whole } }));
    const token = await liveToken(running.url);
    const file = join(running.policiesDir, 'p.yaml');
    const damages: readonly (() => Promise<void>)[] = [
      () => writeFile(file, whole.slice(0, whole.indexOf('repositories') + 20)),
      () => writeFile(file, ''),
      () => rm(file),
      () => mkdir(file),
    ];
    for (const [index, damage] of damages.entries()) {
      await damage();
      await reloaded(running, 'reload_refused', index + 1);
      expect(await pull(running.url, token, 'two')).toBe(200);
    }
    await rm(file, { recursive: true });
    await writeFile(file, policy(['one']));
    await reloaded(running, 'reloaded', 1);
    expect(await pull(running.url, token, 'two')).toBe(403);
  });

  test('a file that lost the end of its last rule is refused until it is whole', async () => {
    const whole = policy(['one', 'two']).replace(
      /rules: .*\n/,
      `rules:
  - { name: pulls, subjects: [user:dana], repositories: ["one/**", "two/**"], actions: [pull] }
  - name: not-two
    subjects: [everyone]
    repositories: ["two/**"]
    actions: [pull]
    effect: deny
`,
    );
    const running = (gateway = await startGatewayProcess({ upstream: registry.url, policies: { 'p.yaml': whole } }));
    const token = await liveToken(running.url);
    const file = join(running.policiesDir, 'p.yaml');
    await writeFile(file, whole.slice(0, whole.indexOf('    effect: deny')));
    await reloaded(running, 'reload_refused', 1);
    expect(await pull(running.url, token, 'two')).toBe(403);
    expect(await (await fetch(`${running.adminUrl}/readyz?verbose`)).text()).toMatch(
      /policy degraded: .*p\.yaml:9:.*ends in the middle of rules\[1\]/,
    );
    await writeFile(file, whole.slice(0, whole.indexOf('  - name: not-two')));
    await reloaded(running, 'reloaded', 1);
    expect(await pull(running.url, await liveToken(running.url), 'two')).toBe(200);
  });

  test('whom refused edits took from stays without access through the next refused edit', async () => {
    const fails = 'tests: [{ name: t, as: anonymous, allow: [pull one/app] }]';
    const running = (gateway = await startGatewayProcess({
      upstream: registry.url,
      policies: { 'p.yaml': policy(['one']) },
    }));
    const token = await liveToken(running.url);
    const file = join(running.policiesDir, 'p.yaml');
    const gone = policy(['one']).replace('dana: {', 'rita: {').replace('name: pulls', 'title: pulls');
    for (const [index, text] of [gone, policy(['one'], fails)].entries()) {
      await writeFile(file, text);
      await running.findLog(
        () =>
          running.logs().filter(({ detail }) => String(detail).includes('took from dana (1 of 1 accounts)')).length >
          index,
      );
      expect(await pull(running.url, token, 'one')).toBe(401);
    }
    await writeFile(file, policy(['one']));
    await reloaded(running, 'reloaded', 1);
    expect(await pull(running.url, token, 'one')).toBe(200);
  });

  test('SIGHUP reads the files at once', async () => {
    const running = (gateway = await startGatewayProcess({
      upstream: registry.url,
      policies: { 'p.yaml': policy(['one']) },
    }));
    const token = await liveToken(running.url);
    await writeFile(join(running.policiesDir, 'p.yaml'), policy(['two']));
    process.kill(running.pid, 'SIGHUP');
    await reloaded(running, 'reloaded', 1);
    expect(await pull(running.url, token, 'one')).toBe(403);
  });

  test('a shadow rule refuses nobody, and the log says whom it would have refused', async () => {
    const shadow = policy(['one']).replace(
      'actions: [pull] }]',
      'actions: [pull] }, { name: close-one, mode: shadow, effect: deny, subjects: [everyone], repositories: ["one/**"], actions: [pull] }]',
    );
    const running = (gateway = await startGatewayProcess({ upstream: registry.url, policies: { 'p.yaml': shadow } }));
    const token = await liveToken(running.url);
    expect(await pull(running.url, token, 'one')).toBe(200);
    const line = await running.findLog((record) => record['event'] === 'access' && record['reference'] === 'latest');
    expect(line).toMatchObject({ decision: 'allow', shadow: ['close-one'] });
  });
});
