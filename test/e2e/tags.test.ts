import argon2 from 'argon2';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type Api, createApi, makeManifest } from '../support/registry-api.ts';
import { startRegistry, type RegistryProcess } from '../support/registry.ts';

const password = 'tags-are-names';

async function policies(): Promise<string> {
  const hash = await argon2.hash(password, { type: argon2.argon2id, memoryCost: 64, timeCost: 1, parallelism: 1 });
  const user = (name: string): string => `  ${name}: { password: "${hash}", groups: [writers] }`;
  return `
groups: { writers: {} }
users:
${['rita', 'dana', 'cleo', 'max'].map(user).join('\n')}
rules:
  - { name: writers-write, subjects: [group:writers], repositories: ["release/**", "apps/**"], actions: [pull, push, delete] }
  - name: release-tags-are-immutable
    effect: deny
    subjects: [everyone]
    repositories: ["release/**"]
    tags: ["v*"]
    actions: [overwrite, delete]
  - { name: dana-only-dev, subjects: [user:dana], repositories: ["team/**"], tags: ["dev-*"], actions: [pull, push] }
  - { name: cleo-creates, subjects: [user:cleo], repositories: ["team/**"], actions: [pull, create] }
  - { name: max-overwrites, subjects: [user:max], repositories: ["team/**"], actions: [pull, overwrite] }
`;
}

describeWithPrograms(['docker-registry'], 'tags in front of a real registry', () => {
  let registry: RegistryProcess;
  let gateway: GatewayProcess;
  let rita: Api;
  let dana: Api;
  let cleo: Api;
  let max: Api;
  let direct: Api;

  beforeAll(async () => {
    registry = await startRegistry({ delete: true });
    gateway = await startGatewayProcess({ upstream: registry.url, policies: { 'p.yaml': await policies() } });
    [rita, dana, cleo, max] = ['rita', 'dana', 'cleo', 'max'].map((name) => createApi(gateway.url, name, password)) as [
      Api,
      Api,
      Api,
      Api,
    ];
    direct = createApi(registry.url);
  });
  afterAll(async () => {
    await gateway.stop();
    await registry.stop();
  });

  const message = async (response: Response): Promise<string> =>
    ((await response.json()) as { errors: [{ message: string }] }).errors[0].message;

  test('an immutable tag is created once and cannot be moved to another image', async () => {
    const first = makeManifest();
    expect((await rita.push('release/app', 'v1', first)).status).toBe(201);
    const second = await rita.push('release/app', 'v1');
    expect(second.status).toBe(403);
    expect(await message(second)).toBe('user "rita" may not overwrite release/app:v1: a rule forbids it');
    expect(await direct.digestOf('release/app', 'v1')).toBe(first.digest);
  });

  test('pushing the same image to an immutable tag again succeeds', async () => {
    const image = makeManifest();
    expect((await rita.push('release/again', 'v1', image)).status).toBe(201);
    expect((await rita.push('release/again', 'v1', image)).status).toBe(201);
  });

  test('a tag that no rule protects moves freely', async () => {
    expect((await rita.push('release/free', 'latest')).status).toBe(201);
    expect((await rita.push('release/free', 'latest')).status).toBe(201);
  });

  test('of twenty pushes that create one immutable tag at once exactly one wins', async () => {
    const pushes = await Promise.all(Array.from({ length: 20 }, () => rita.push('release/race', 'v1')));
    expect(pushes.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, ...Array<number>(19).fill(403)]);
  });

  test('a push by digest is judged by every ?tag= it names', async () => {
    expect((await rita.push('release/digest', 'v1')).status).toBe(201);
    const image = makeManifest();
    const refused = await rita.push('release/digest', `${image.digest}?tag=latest&tag=v1`, image);
    expect(refused.status).toBe(403);
    expect(await message(refused)).toContain('overwrite release/digest:v1');
    expect((await rita.push('release/digest', `${image.digest}?tag=latest`, image)).status).toBe(201);
  });

  test('a manifest cannot be deleted by digest while an immutable tag points at it', async () => {
    const image = makeManifest();
    expect((await rita.push('release/kept', 'v1', image)).status).toBe(201);
    expect((await rita.push('release/kept', 'nightly', image)).status).toBe(201);
    const refused = await rita.remove('release/kept', image.digest);
    expect(refused.status).toBe(403);
    expect(await message(refused)).toBe('user "rita" may not delete release/kept:v1: a rule forbids it');
    expect(await direct.digestOf('release/kept', 'v1')).toBe(image.digest);
  });

  test('a manifest without a protected tag is deleted by digest', async () => {
    const image = makeManifest();
    expect((await rita.push('release/gone', 'nightly', image)).status).toBe(201);
    expect((await rita.remove('release/gone', image.digest)).status).toBe(202);
    expect(await direct.digestOf('release/gone', 'nightly')).toBeNull();
  });

  test('a push right for dev-* tags reaches no other tag, neither for writing nor for reading', async () => {
    expect((await dana.push('team/app', 'dev-1')).status).toBe(201);
    const refused = await dana.push('team/app', 'prod');
    expect(refused.status).toBe(403);
    expect(await message(refused)).toBe('user "dana" may not push team/app:prod: no rule allows it');
    expect((await direct.push('team/app', 'prod')).status).toBe(201);
    expect(await dana.digestOf('team/app', 'prod')).toBeNull();
    expect((await dana.request('GET', '/v2/team/app/manifests/prod')).status).toBe(403);
    expect(await dana.digestOf('team/app', 'dev-1')).toMatch(/^sha256:/);
  });

  test('who may only create cannot overwrite, who may only overwrite cannot create', async () => {
    expect((await max.push('team/pair', 'one')).status).toBe(403);
    expect((await cleo.push('team/pair', 'one')).status).toBe(201);
    expect((await cleo.push('team/pair', 'one')).status).toBe(403);
    expect((await max.push('team/pair', 'one')).status).toBe(201);
  });

  test('a manifest larger than 4 MiB is refused before it reaches the registry', async () => {
    const huge = { ...makeManifest(), text: JSON.stringify({ filler: 'x'.repeat(4_194_304) }) };
    const refused = await rita.push('apps/huge', 'v1', huge);
    expect(refused.status).toBe(413);
    expect(registry.accessLog()).not.toContain('PUT /v2/apps/huge/manifests');
  });

  test('the log names the rule and the action that were decisive', async () => {
    const line = await gateway.findLog(
      (record) => record['action'] === 'overwrite' && record['repository'] === 'release/app',
    );
    expect(line).toMatchObject({
      decision: 'deny',
      rule: 'release-tags-are-immutable',
      account: 'rita',
      reference: 'v1',
      status: 403,
    });
  });
});
