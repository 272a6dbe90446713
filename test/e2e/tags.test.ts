import argon2 from 'argon2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withoutIds } from '../support/error-body.ts';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway.ts';
import { describeWithPrograms } from '../support/programs.ts';
import { type Api, type Manifest, createApi, makeManifest, sha256 } from '../support/registry-api.ts';
import { startRegistry, type RegistryProcess } from '../support/registry.ts';

const password = 'tags-are-names';

async function policies(): Promise<string> {
  const hash = await argon2.hash(password, { type: argon2.argon2id, memoryCost: 8192, timeCost: 1, parallelism: 1 });
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
  - { name: all-is-kept, effect: deny, subjects: [everyone], repositories: ["apps/kept/**"], tags: ["*"], actions: [overwrite] }
  - { name: dana-drops-drafts, subjects: [user:dana], repositories: ["drafts/**"], tags: ["draft-*"], actions: [delete] }
  - { name: dana-only-dev, subjects: [user:dana], repositories: ["team/**"], tags: ["dev-*"], actions: [pull, push] }
  - { name: dana-reads-releases, subjects: [user:dana], repositories: ["listed/**"], tags: ["v*"], actions: [pull] }
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

  const indexType = 'application/vnd.oci.image.index.v1+json';
  const put = (api: Api, repository: string, reference: string, text: string): Promise<Response> =>
    api.request('PUT', `/v2/${repository}/manifests/${reference}`, text, { 'content-type': indexType });
  const indexOf = (...children: readonly { readonly text: string; readonly digest: string }[]) => {
    const manifests = children.map(({ text, digest }) => {
      const { mediaType } = JSON.parse(text) as { readonly mediaType: string };
      return { mediaType, digest, size: text.length };
    });
    const text = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests });
    return { text, digest: sha256(text) };
  };

  describe('what an immutable tag is made of cannot be deleted from below:', () => {
    test('neither its layers nor the images of its index, however deep they lie', async () => {
      const repository = 'release/made';
      const [one, two, free] = [makeManifest(), makeManifest(), makeManifest()];
      for (const image of [one, two, free]) await rita.push(repository, image.digest, image);
      const inner = indexOf(one);
      const outer = indexOf(inner, two);
      expect((await put(rita, repository, inner.digest, inner.text)).status).toBe(201);
      expect((await put(rita, repository, 'v1', outer.text)).status).toBe(201);
      for (const { digest } of [one, two, inner, outer]) {
        const refused = await rita.remove(repository, digest);
        expect([digest, refused.status]).toEqual([digest, 403]);
        expect(await message(refused)).toBe(`user "rita" may not delete ${repository}:v1: a rule forbids it`);
      }
      const layer = await rita.request('DELETE', `/v2/${repository}/blobs/${sha256(one.config)}`);
      expect([layer.status, await message(layer)]).toEqual([
        403,
        `user "rita" may not delete ${repository}: a rule about its tags forbids it`,
      ]);
      expect((await rita.remove(repository, free.digest)).status).toBe(202);
      expect(await direct.digestOf(repository, one.digest)).toBe(one.digest);
    });

    test.each([
      ['an image', 'application/vnd.oci.image.manifest.v1+json'],
      ['a layer', 'application/vnd.oci.image.layer.v1.tar+gzip'],
      ['a configuration of docker', 'application/vnd.docker.container.image.v1+json'],
    ])('nor what lies in an index that another one calls %s', async (what, mediaType) => {
      const repository = `release/hidden-${what.replaceAll(' ', '-')}`;
      const [hidden, free] = [makeManifest(), makeManifest()];
      for (const image of [hidden, free]) await direct.push(repository, image.digest, image);
      const inner = indexOf(hidden);
      expect((await put(direct, repository, inner.digest, inner.text)).status).toBe(201);
      const manifests = [{ mediaType, digest: inner.digest, size: inner.text.length }];
      const outer = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests });
      expect((await put(rita, repository, 'v1', outer)).status).toBe(201);
      for (const { digest } of [inner, hidden]) expect((await rita.remove(repository, digest)).status).toBe(403);
      expect((await rita.remove(repository, free.digest)).status).toBe(202);
      expect(await direct.digestOf(repository, hidden.digest)).toBe(hidden.digest);
    });

    test('and a cache of BuildKit, an index of layers, keeps nobody from deleting something else', async () => {
      const repository = 'release/cache';
      const [layers, free] = [makeManifest(), makeManifest()];
      for (const image of [layers, free]) await direct.push(repository, image.digest, image);
      const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
      const manifests = [{ mediaType, digest: sha256(layers.config), size: layers.config.length }];
      const cache = JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests });
      expect((await put(rita, repository, 'v1', cache)).status).toBe(201);
      expect((await rita.remove(repository, free.digest)).status).toBe(202);
    });

    test('nor its layers under the path of manifests, where distribution 2.8 deletes them too', async () => {
      const repository = 'release/sideways';
      const image = makeManifest();
      await rita.push(repository, 'v1', image);
      const config = sha256(image.config);
      expect((await rita.remove(repository, config)).status).toBe(502);
      expect((await direct.request('HEAD', `/v2/${repository}/blobs/${config}`)).status).toBe(200);
      expect((await rita.remove(repository, sha256('never there'))).status).toBe(404);
    });

    test('and where no rule speaks of tags layers are deleted as ever', async () => {
      const image = makeManifest();
      await rita.push('apps/free', 'v1', image);
      expect((await rita.request('DELETE', `/v2/apps/free/blobs/${sha256(image.config)}`)).status).toBe(202);
      expect((await rita.remove('apps/free', image.digest)).status).toBe(202);
    });
  });

  test('the list of what is attached to an image grows though every tag is immutable, and loses nothing', async () => {
    const repository = 'apps/kept/signed';
    const [image, one, two, three] = [makeManifest(), makeManifest(), makeManifest(), makeManifest()];
    for (const each of [image, one, two, three]) await rita.push(repository, each.digest, each);
    const list = image.digest.replace(':', '-');
    const attach = async (...attached: readonly Manifest[]): Promise<number> =>
      (await put(rita, repository, list, indexOf(...attached).text)).status;
    expect(await attach(one)).toBe(201);
    expect(await attach(one, two)).toBe(201);
    expect(await attach(one, two)).toBe(201);
    expect(await attach(three, two, one)).toBe(201);
    expect(await attach(one, two)).toBe(403);
    expect(await attach()).toBe(403);
    expect((await rita.push(repository, list)).status).toBe(403);
    const kept = await direct.request('GET', `/v2/${repository}/manifests/${list}`, undefined, { accept: indexType });
    expect(await kept.text()).toBe(indexOf(three, two, one).text);
    const [sig, layers] = [`${list}.sig`, [{ digest: sha256(one.config) }, { digest: sha256(two.config) }]];
    const signed = (count: number): Manifest => {
      const text = JSON.stringify({ ...JSON.parse(one.text), layers: layers.slice(0, count) });
      return { ...one, text, digest: sha256(text) };
    };
    const statuses: number[] = [];
    for (const count of [1, 2, 1]) statuses.push((await rita.push(repository, sig, signed(count))).status);
    expect(statuses).toEqual([201, 201, 403]);
  });

  test('a right to delete draft-* tags reaches what they alone name: no layers, nothing without a tag', async () => {
    const repository = 'drafts/app';
    const [draft, untagged, kept] = [makeManifest(), makeManifest(), makeManifest()];
    await direct.push(repository, 'draft-1', draft);
    await direct.push(repository, untagged.digest, untagged);
    await direct.push(repository, 'draft-2', kept);
    await direct.push(repository, 'v1', kept);
    expect((await dana.request('DELETE', `/v2/${repository}/blobs/${sha256(draft.config)}`)).status).toBe(403);
    const refused = await dana.remove(repository, untagged.digest);
    expect([refused.status, await message(refused)]).toEqual([
      403,
      `user "dana" may not delete ${repository}: no rule allows it without a tag`,
    ]);
    expect(await message(await dana.remove(repository, kept.digest))).toBe(
      `user "dana" may not delete ${repository}:v1: no rule allows it`,
    );
    expect((await dana.remove(repository, draft.digest)).status).toBe(202);
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

  test('a list of tags shows those that may be read, page by page, though the registry knows no pages', async () => {
    for (const tag of ['v2', 'wip', 'v10', 'a-draft', 'v1', 'zz']) await direct.push('listed/app', tag);
    const pages: unknown[] = [];
    let target: string | undefined = '/v2/listed/app/tags/list?n=2';
    while (target !== undefined) {
      const reply = await dana.request('GET', target);
      const link: string = reply.headers.get('link') ?? '';
      expect(link).not.toMatch(/wip|draft|zz|127\.0\.0\.1/);
      pages.push(await reply.json());
      target = /^<(\/v2\/listed\/app\/tags\/list\?\S+)>; rel="next"$/.exec(link)?.[1];
    }
    expect(pages).toEqual([
      { name: 'listed/app', tags: ['v1', 'v10'] },
      { name: 'listed/app', tags: ['v2'] },
    ]);
    const whole = await dana.request('GET', '/v2/listed/app/tags/list');
    expect(await whole.json()).toEqual({ name: 'listed/app', tags: ['v1', 'v10', 'v2'] });
    expect(whole.headers.get('link')).toBeNull();
  });

  test('a list of tags begins after a hidden tag as after none', async () => {
    for (const tag of ['v1', 'v1-rc', 'hidden']) await direct.push('listed/last', tag);
    for (const last of ['hidden', 'hiddem', 'hiddeo']) {
      const reply = await dana.request('GET', `/v2/listed/last/tags/list?last=${last}`);
      expect(await reply.json()).toEqual({ name: 'listed/last', tags: ['v1', 'v1-rc'] });
    }
  });

  test('the tags of a repository that is not there are as unknown as without rules for tags', async () => {
    const [hidden, bare] = await Promise.all(
      [dana, direct].map((api) => api.request('GET', '/v2/listed/no/tags/list')),
    );
    const said = JSON.parse(withoutIds((await hidden?.text()) ?? '')) as unknown;
    expect([hidden?.status, said]).toEqual([bare?.status, await bare?.json()]);
  });

  test('signatures of a readable image are found though no rule names their tags, and are not listed', async () => {
    const image = makeManifest();
    await direct.push('listed/signed', 'v1', image);
    await direct.push('listed/signed', 'wip');
    const tag = image.digest.replace(':', '-');
    for (const name of [tag, `${tag}.sig`, `${tag}.att`, `${tag}.sbom`]) {
      const signature = makeManifest();
      await direct.push('listed/signed', name, signature);
      expect(await dana.digestOf('listed/signed', name)).toBe(signature.digest);
    }
    expect((await dana.request('GET', `/v2/listed/signed/referrers/${image.digest}`)).status).toBe(404);
    expect((await dana.request('GET', '/v2/listed/signed/manifests/wip')).status).toBe(403);
    const listed = await dana.request('GET', '/v2/listed/signed/tags/list');
    expect(await listed.json()).toEqual({ name: 'listed/signed', tags: ['v1'] });
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
