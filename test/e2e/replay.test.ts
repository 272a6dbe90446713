/** What a real gateway wrote down, judged by its own policies and by edited ones. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import bcrypt from 'bcrypt';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/distribution/digest.ts';
import { makeSecret, secretHash } from '../../src/identity/carried-secret.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { quickHash } from '../support/policies.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type Api, createApi, makeManifest } from '../support/registry-api.ts';
import { type RegistryProcess, startRegistry } from '../support/registry.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';
import { callProgram } from '../cli/in-process.ts';

const password = 'nobody-may-read-this-anywhere';
const hash = await quickHash(password);
const secret = makeSecret('robot');
const day = 86_400_000;
const instant = (fromNow: number): string => new Date(Date.now() + fromNow).toISOString().slice(0, 10);

const people = `
groups:
  devs:
  managers:
users:
  dana: { password: '${hash}', groups: [devs] }
  rita: { password: '${hash}', groups: [managers] }
  zoe: { groups: [devs] }
robots:
  builder:
    groups: [devs]
    tokens: [{ id: first, sha256: ${secretHash(secret.text)}, repositories: ["integration/**"], actions: [pull, push] }]
`;
const rules = `
rules:
  - { name: share, subjects: ['group:devs'], repositories: ['sandbox/**'], actions: [pull, push, delete, catalog] }
  - { name: open, subjects: [everyone], repositories: ['open/**'], actions: [pull] }
  - { name: build, subjects: ['group:devs'], repositories: ['integration/**'], actions: [pull, push, delete] }
  - { name: blind, subjects: ['user:dana'], repositories: ['blind/**'], actions: [push] }
  - { name: release, subjects: ['group:managers'], repositories: ['release/**', 'integration/**'], actions: [pull, push, promote, delete] }
  - { name: fixed, effect: deny, subjects: [everyone], repositories: ['release/**', 'sandbox/**'], tags: ['v*'], actions: [overwrite, delete] }
  - { name: hidden, effect: deny, subjects: ['group:devs'], repositories: ['sandbox/**'], tags: ['secret-*'], actions: [pull] }
  - { name: ice, effect: deny, subjects: [everyone], repositories: ['sandbox/frozen'], actions: [push], when: { after: ${instant(-day)}, before: ${instant(2 * day)} } }
  - { name: trial, effect: deny, mode: shadow, subjects: ['user:dana'], repositories: ['sandbox/a'], actions: [pull] }
limits:
  - { name: few, subjects: ['user:zoe'], count: pull, per: account, rate: 1/6h }
`;
const gates = `
gates:
  - { name: from-integration, repositories: ['release/**'], from: ['integration/**'] }
`;

describeWithPrograms(['docker-registry'], 'what a gateway wrote', () => {
  let dir: string;
  let registry: RegistryProcess;
  let gateway: GatewayProcess;
  let log: string;

  beforeAll(async () => {
    dir = await makeTempDir('replay');
    await writeFile(
      join(dir, 'htpasswd'),
      `zoe:${await bcrypt.hash(password, 4)}\nola:${await bcrypt.hash(password, 4)}\n`,
    );
    registry = await startRegistry({ delete: true });
    gateway = await startGatewayProcess({
      upstream: registry.url,
      policies: { 'people.yaml': people, 'rules.yaml': rules, 'gates.yaml': gates },
      env: { PORTCULLIS_LOGINS_HTPASSWD_FILE: join(dir, 'htpasswd') },
    });
    await traffic(gateway);
    await gateway.findLog(({ httpMethod, account }) => httpMethod === 'GET' && account === 'the-last-one');
    log = gateway.stdout();
    await gateway.stop();
    await write('gateway.log', log);
    await policies('own', people, rules, gates);
    await policies('same', `# nothing new\n${people}`, rules.replaceAll('\n', '\n\n'), gates);
  });
  afterAll(async () => {
    await registry?.stop();
    await removeTempDir(dir);
  });

  const write = (name: string, content: string | Buffer) => writeFile(join(dir, name), content);
  async function policies(name: string, ...texts: readonly string[]): Promise<void> {
    await mkdir(join(dir, name));
    for (const [at, file] of ['people.yaml', 'rules.yaml', 'gates.yaml'].entries())
      if (texts[at] !== '') await write(`${name}/${file}`, texts[at] ?? '');
  }

  interface Row {
    readonly subject: string;
    readonly action: string;
    readonly repository: string | null;
    readonly count: number;
    readonly why: string;
    readonly was: string;
  }
  interface Found {
    readonly judged: number;
    readonly same: number;
    readonly lost: readonly Row[];
    readonly gained: readonly Row[];
    readonly cannotSay: readonly { readonly reason: string; readonly count: number }[];
    readonly shadow: readonly { readonly rule: string; readonly count: number }[];
    readonly unreadable: number;
  }
  async function replay(...args: readonly string[]): Promise<Found & { readonly code: number | null }> {
    const { code, stdout, stderr } = await callProgram(['replay', ...args, '--json'], { cwd: dir });
    expect(stderr).toBe('');
    return { ...(JSON.parse(stdout) as Found), code };
  }
  const edited = async (name: string, from: string, to: string, ...args: readonly string[]) => {
    const texts = [people, rules, gates].map((text) => text.replace(from, to));
    expect(texts.join('')).not.toBe(people + rules + gates);
    await policies(name, ...texts);
    return replay('gateway.log', '--policies', name, ...args);
  };
  const told = ({ lost, gained }: Found) => [
    ...lost.map(({ subject, action, repository }) => `- ${subject} ${action} ${repository ?? ''}`),
    ...gained.map(({ subject, action, repository }) => `+ ${subject} ${action} ${repository ?? ''}`),
  ];

  describe('by the same policies', () => {
    test('is as it was, all of it', async () => {
      const found = await replay('gateway.log', '--policies', 'own', '--fail-on', 'any');
      expect(found).toMatchObject({ lost: [], gained: [], cannotSay: [], code: 0 });
      expect(found.judged).toBeGreaterThan(80);
      expect(found.same).toBe(found.judged);
      expect(found.shadow).toEqual([{ rule: 'trial', count: expect.any(Number) as number }]);
    });

    test('written otherwise is as it was, and what only the registry knew is said', async () => {
      const found = await replay('gateway.log', '--policies', 'same', '--fail-on', 'any');
      expect(found).toMatchObject({ lost: [], gained: [], code: 0 });
      expect(found.cannotSay.map(({ reason }) => reason).sort()).toEqual(['gate', 'tags']);
      const compared = await replay('gateway.log', '--policies', 'same', '--base', 'own', '--fail-on', 'any');
      expect(compared).toMatchObject({ lost: [], gained: [], cannotSay: [], code: 0 });
    });

    test('packed, and in a directory of audit files, is the same', async () => {
      await mkdir(join(dir, 'audit'));
      const today = new Date().toISOString().slice(0, 10);
      await write(`audit/${today}.one.jsonl.gz`, gzipSync(log));
      await write('gateway.log.gz', gzipSync(log));
      const [plain, packed, listed] = await Promise.all([]).then(async () => [
        await replay('gateway.log', '--policies', 'own'),
        await replay('gateway.log.gz', '--policies', 'own'),
        await replay('audit', '--policies', 'own', '--since', '1d'),
      ]);
      expect(packed).toEqual(plain);
      expect(listed).toEqual(plain);
    });
  });

  describe('by an edit', () => {
    test('that takes a right away is lost, by who lost it', async () => {
      const found = await edited(
        'no-build',
        'actions: [pull, push, delete] }',
        'actions: [pull] }',
        '--fail-on',
        'lost',
      );
      expect(found.code).toBe(1);
      expect(found.gained).toEqual([]);
      expect(new Set(told(found))).toEqual(
        new Set([
          '- robot:builder push integration/app',
          ...['robot:builder', 'user:dana', 'user:zoe'].map((who) => `- ${who} token:push integration/app`),
        ]),
      );
      expect(found.lost[0]).toMatchObject({ why: 'no rule allows it', was: 'rule build' });
    });

    test('that takes pull from who may push leaves what pushing reads', async () => {
      const found = await edited(
        'blind',
        "repositories: ['integration/**'], actions: [pull, push, delete]",
        "repositories: ['integration/**'], actions: [push]",
      );
      // Of tags and of what refers to an image, which nobody reads while pushing.
      expect(new Set(told(found))).toEqual(
        new Set(['robot:builder', 'user:dana', 'user:zoe'].map((who) => `- ${who} pull integration/app`)),
      );
      const listed = gateway
        .logs()
        .filter(
          ({ account, rule, route }) =>
            account === 'builder' && rule === 'build' && (route === 'tags' || route === 'referrers'),
        );
      expect(found.lost.find(({ subject }) => subject === 'robot:builder')?.count).toBe(listed.length);
    });

    test('that opens something is gained', async () => {
      const found = await edited(
        'wider',
        "subjects: [everyone], repositories: ['open/**'], actions: [pull]",
        "subjects: [everyone], repositories: ['open/**', 'closed/**'], actions: [pull, push]",
        '--fail-on',
        'gained',
      );
      expect(found.code).toBe(1);
      expect(found.lost).toEqual([]);
      expect(told(found)).toContain('+ anonymous pull closed/a');
      expect(told(found)).toContain('+ user:dana pull closed/a');
    });

    test('that takes a secret, an account, a person from outside', async () => {
      expect(
        told(await edited('secret', 'id: first', 'id: second')).every((row) => row.startsWith('- robot:builder ')),
      ).toBe(true);
      const gone = await edited('gone', "rita: { password: '" + hash + "', groups: [managers] }", '');
      expect(gone.lost.every(({ subject, why }) => subject === 'user:rita' && why === 'the account is gone')).toBe(
        true,
      );
      const disabled = await edited('disabled', 'zoe: { groups: [devs] }', 'zoe: { groups: [devs], disabled: true }');
      expect(new Set(disabled.lost.map(({ subject }) => subject))).toEqual(new Set(['user:zoe']));
      expect(disabled.lost[0]?.why).toBe('the account is disabled');
    });

    test('that ends a freeze, or lifts a tag', async () => {
      expect(told(await edited('thaw', `before: ${instant(2 * day)}`, `before: ${instant(0)}`))).toContain(
        '+ user:dana push sandbox/frozen',
      );
      const moved = await edited(
        'moved',
        "tags: ['v*'], actions: [overwrite, delete]",
        "tags: ['w*'], actions: [overwrite, delete]",
      );
      expect(told(moved)).toEqual(
        expect.arrayContaining(['+ user:dana push sandbox/a', '+ user:dana delete sandbox/a']),
      );
    });

    test('that makes existing tags unmovable says which pushes moved one only where the record does', async () => {
      const found = await edited('fixed', "tags: ['v*'], actions: [overwrite, delete]", 'actions: [overwrite]');
      expect(found.cannotSay.find(({ reason }) => reason === 'tag')?.count).toBeGreaterThan(0);
      expect(told(found)).not.toContain('- user:dana push sandbox/a');
    });

    test('of a gate: gone is gained, another one cannot be told', async () => {
      const open = await edited('open', gates, '');
      expect(told(open)).toEqual(['+ user:rita push release/app']);
      const other = await edited('other', "from: ['integration/**']", "from: ['sandbox/**']");
      expect(other.cannotSay.find(({ reason }) => reason === 'gate')?.count).toBeGreaterThan(0);
      expect(other.gained).toEqual([]);
    });

    test('of a token of somebody: within what it was made for', async () => {
      const found = await edited(
        'narrow',
        "repositories: ['sandbox/**'], actions: [pull, push, delete, catalog]",
        "repositories: ['sandbox/**'], actions: [pull, delete, catalog]",
      );
      expect(told(found)).toContain('- user:dana push sandbox/a');
      expect(found.gained).toEqual([]);
    });
  });

  test('as the pipeline of a pull request asks it', async () => {
    const ask = async () => {
      const words = 'replay audit --policies policies --since 7d --fail-on lost'.split(' ');
      return (await callProgram(words, { cwd: dir })).code;
    };
    await policies('policies', people, rules, gates);
    expect(await ask()).toBe(0);
    await write(
      'policies/rules.yaml',
      'rules: [{ name: none, subjects: [everyone], repositories: [none], actions: [pull] }]',
    );
    expect(await ask()).toBe(1);
  });

  test('text for people', async () => {
    const { stdout, code } = await callProgram(['replay', 'gateway.log', '--policies', 'no-build'], { cwd: dir });
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^LOST {3}robot:builder push integration\/app(:| \()\S.* \d+×, last \d{4}-\d\d-\d\dT[\d:]+Z: no rule allows it \(was: rule build\)$/m,
    );
    expect(stdout).toMatch(
      /^\d+ decisions of .* to .*: \d+ as before, \d+ lost, 0 gained, \d+ cannot be told; besides /m,
    );
  });
});

/** Of every kind, allowed and refused. */
async function traffic({ url }: GatewayProcess): Promise<void> {
  const dana = createApi(url, 'dana', password);
  const rita = createApi(url, 'rita', password);
  const zoe = createApi(url, 'zoe', password);
  const ola = createApi(url, 'ola', password);
  const builder = createApi(url, 'builder', secret.text);
  const accept = { accept: 'application/vnd.oci.image.manifest.v1+json' };
  const image = makeManifest();
  const look = async (api: Api, repository: string): Promise<void> => {
    await api.request('GET', `/v2/${repository}/manifests/latest`, undefined, accept);
    await api.request('HEAD', `/v2/${repository}/manifests/latest`, undefined, accept);
    await api.request('GET', `/v2/${repository}/manifests/${image.digest}`, undefined, accept);
    await api.request('HEAD', `/v2/${repository}/blobs/${image.digest}`);
    await api.request('GET', `/v2/${repository}/tags/list`);
    await api.request('GET', `/v2/${repository}/referrers/${image.digest}`);
  };
  await dana.push('sandbox/a', 'latest', image);
  await dana.push('sandbox/a', 'latest', image);
  await dana.push('sandbox/a', 'v1', image);
  await dana.push('sandbox/a', 'v1', image);
  await dana.push('sandbox/a', 'v1');
  await dana.push('sandbox/a', 'secret-1');
  await dana.request('GET', '/v2/sandbox/a/manifests/secret-1', undefined, accept);
  await dana.push('sandbox/frozen', 'latest');
  await dana.push('blind/a', 'latest', image);
  await look(dana, 'blind/a');
  for (const api of [dana, zoe, ola, builder, rita]) {
    await look(api, 'sandbox/a');
    await look(api, 'integration/app');
    await look(api, 'closed/a');
    await api.request('GET', '/v2/_catalog');
    await api.request('GET', '/v2/');
  }
  await builder.push('integration/app', 'latest', image);
  await look(builder, 'integration/app');
  await builder.push('sandbox/b', 'latest');
  await builder.request('DELETE', `/v2/integration/app/manifests/${image.digest}`);
  await rita.push('release/app', '1.0', image);
  await rita.push('release/app', '2.0');
  const promotion = JSON.stringify({ source: 'integration/app:latest', target: 'release/app:3.0' });
  for (const api of [rita, dana])
    await api.request('POST', '/api/v1/promotions', promotion, { 'content-type': 'application/json' });
  const mount = `/v2/sandbox/c/blobs/uploads/?mount=${digestOfConfig(image.config)}&from=`;
  for (const from of ['sandbox/a', 'integration/app', 'release/app']) await dana.request('POST', mount + from);
  await dana.request('DELETE', '/v2/sandbox/a/manifests/v1');
  const gone = makeManifest();
  await dana.push('sandbox/a', 'gone', gone);
  await dana.remove('sandbox/a', gone.digest);
  await dana.remove('sandbox/a', image.digest);
  await dana.request('DELETE', `/v2/sandbox/a/blobs/${digestOfConfig(gone.config)}`);
  await tokens(url, dana);
  await createApi(url, 'dana', 'wrong').request('GET', '/v2/');
  await createApi(url, 'the-last-one', 'wrong').request('GET', '/v2/sandbox/a/tags/list');
}

function digestOfConfig(config: string): string {
  return digestOf(Buffer.from(config));
}

/** By tokens: of anonymous callers, of a robot, of a login that lasts, of a token of one's own. */
async function tokens(url: string, dana: Api): Promise<void> {
  const tokenOf = async (authorization: string | undefined, scope: string): Promise<string> => {
    const reply = await fetch(
      `${url}/token?offline_token=true&scope=${scope}`,
      authorization ? { headers: { authorization } } : {},
    );
    return ((await reply.json()) as { readonly token?: string }).token ?? '';
  };
  const basic = (account: string, shown: string): string =>
    `Basic ${Buffer.from(`${account}:${shown}`).toString('base64')}`;
  const made = await dana.request(
    'POST',
    '/api/v1/tokens',
    JSON.stringify({ label: 'test', repositories: ['sandbox/**'], actions: ['pull'] }),
    { 'content-type': 'application/json' },
  );
  const own = ((await made.json()) as { readonly secret: string }).secret;
  const scope =
    'repository:sandbox/a:pull,push&scope=repository:integration/app:pull,push&scope=repository:closed/a:pull&scope=registry:catalog:*';
  for (const authorization of [
    undefined,
    basic('dana', password),
    basic('zoe', password),
    basic('builder', secret.text),
    basic('dana', own),
  ]) {
    const token = await tokenOf(authorization, scope);
    for (const path of [
      'sandbox/a/tags/list',
      'integration/app/tags/list',
      'closed/a/tags/list',
      'open/a/tags/list',
      '_catalog',
    ])
      await fetch(`${url}/v2/${path}`, { headers: { authorization: `Bearer ${token}` } });
    await fetch(`${url}/v2/sandbox/a/blobs/uploads/`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    if (authorization !== undefined) await fetch(`${url}/v2/sandbox/a/tags/list`, { headers: { authorization } });
  }
}
