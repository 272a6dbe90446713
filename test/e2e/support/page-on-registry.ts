/** What a developer sees of a real registry, and deletes there: the same for every one that can be had. */
import { expect, test } from 'vitest';
import { contentWriter, named, types } from '../../support/content.ts';
import { type GatewayProcess, startGatewayProcess } from '../../support/gateway.ts';
import { quickHash } from '../../support/policies.ts';
import { Visitor, fieldOf } from '../../support/visitor.ts';

export const password = 'right-and-long';

/** Immutable in `v*`; dana may delete the rest, tom sees `v1` alone. */
export async function pageRules(): Promise<string> {
  const hash = await quickHash(password);
  return `
users: { dana: { password: "${hash}" }, tom: { password: "${hash}" } }
rules:
  - { name: works, subjects: ["user:dana"], repositories: ["team/**"], actions: [pull, push, delete] }
  - { name: looks, subjects: ["user:tom"], repositories: ["team/app"], tags: [v1], actions: [pull] }
  - { name: keeps, effect: deny, subjects: [everyone], repositories: ["team/**"], tags: ["v*"], actions: [overwrite, delete] }
`;
}

/** A gateway in front of it. */
export async function startPage(upstream: string): Promise<GatewayProcess> {
  return startGatewayProcess({ upstream, policies: { 'p.yaml': await pageRules() } });
}

/** Somebody with an open session. */
export async function visitorAt(url: string, account: string): Promise<Visitor> {
  const visitor = new Visitor(url);
  const seen = await visitor.logIn(account, password);
  expect(seen.status).toBe(303);
  return visitor;
}

/** The fields of the form that deletes, but for the name to be typed. */
export function formIn(body: string): Readonly<Record<string, string>> {
  const form = body.slice(body.indexOf('action="/ui/delete"'));
  const names = ['csrf', 'repository', 'tag', 'digest', 'list'];
  return Object.fromEntries(names.map((name) => [name, fieldOf(form, name)]));
}

/** As the form of the delete page sends it, the name typed. */
export async function deleteBy(visitor: Visitor, repository: string, tag: string) {
  const page = await visitor.get(`/ui/delete?repository=${repository}&tag=${tag}`);
  if (page.status !== 200) return { page, seen: page };
  return { page, seen: await visitor.post('/ui/delete', { ...formIn(page.body), confirm: tag }) };
}

export interface Site {
  readonly url: () => string;
  readonly registry: () => string;
  /** Whether the registry takes away one tag and leaves the others of its image. */
  readonly deletesTags: boolean;
}

/** Of what is deleted by the page. */
export function testsOfDeleting({ url, registry, deletesTags }: Site): void {
  /** One image under several tags. */
  const under = async (repository: string, ...tags: readonly string[]) => {
    const there = contentWriter(registry());
    const image = await there.image(repository, tags[0]);
    for (const tag of tags.slice(1))
      await there.manifest(repository, JSON.parse(image.content.toString()) as object, tag);
    return { there, image };
  };

  test('three tags of one image, one of them immutable: all are listed, and the immutable one never goes', async () => {
    const { there } = await under('team/three', 'v1', 'wip', 'next');
    const dana = await visitorAt(url(), 'dana');
    const { page, seen } = await deleteBy(dana, 'team/three', 'wip');
    for (const tag of ['v1', 'wip', 'next']) expect(page.body).toContain(`<b>${tag}</b>`);
    expect(page.body).toContain('you may not delete it');
    const left = [...(await there.tags('team/three'))].sort();
    if (deletesTags) {
      expect([seen.status, left]).toEqual([303, ['next', 'v1']]);
    } else {
      expect([seen.status, left]).toEqual([403, ['next', 'v1', 'wip']]);
      expect(seen.body).toContain('next, v1 (which you may not delete), wip');
    }
  });

  test('a tag that is alone goes, is said to be gone, and is in no list any more', async () => {
    const { there } = await under('team/alone', 'wip');
    await there.image('team/alone', 'other');
    const dana = await visitorAt(url(), 'dana');
    expect((await dana.get('/ui/r/team/alone')).body).toContain('?tag=wip');
    const { seen } = await deleteBy(dana, 'team/alone', 'wip');
    expect([seen.status, seen.headers.location]).toEqual([303, '/ui/r/team/alone?gone=wip']);
    const after = await dana.get('/ui/r/team/alone?gone=wip', { 'sec-fetch-site': 'same-origin' });
    expect(after.body).toContain('wip is deleted.');
    expect(after.body).not.toContain('?tag=wip');
    expect(await there.tags('team/alone')).toEqual(['other']);
  });

  test('the last tag goes, is said to be gone, and an image that went with it is not shown any longer', async () => {
    const { image } = await under('team/last', 'wip');
    const dana = await visitorAt(url(), 'dana');
    const byDigest = `/ui/r/team/last?digest=${image.digest}`;
    expect((await dana.get(byDigest)).status).toBe(200);
    expect((await deleteBy(dana, 'team/last', 'wip')).seen.status).toBe(303);
    const after = await dana.get('/ui/r/team/last?gone=wip', { 'sec-fetch-site': 'same-origin' });
    expect(after.body).toContain('wip is deleted.');
    if (!deletesTags) expect((await dana.get(byDigest)).status).toBe(404);
  });

  test('the name has to be typed, and to be that of the tag', async () => {
    const { there } = await under('team/typed', 'wip');
    const dana = await visitorAt(url(), 'dana');
    const page = await dana.get('/ui/delete?repository=team/typed&tag=wip');
    const fields = formIn(page.body);
    for (const confirm of ['', 'wip2', 'WIP'])
      expect((await dana.post('/ui/delete', { ...fields, confirm })).status).toBe(400);
    expect(await there.tags('team/typed')).toEqual(['wip']);
  });

  test('a tag that came since the list was shown is not taken along, nor is one that moved', async () => {
    const { there, image } = await under('team/since', 'wip');
    const dana = await visitorAt(url(), 'dana');
    const page = await dana.get('/ui/delete?repository=team/since&tag=wip');
    const fields = formIn(page.body);
    await there.manifest('team/since', JSON.parse(image.content.toString()) as object, 'late');
    const late = await dana.post('/ui/delete', { ...fields, confirm: 'wip' });
    expect(late.status).toBe(deletesTags ? 303 : 409);
    expect(await there.tags('team/since')).toContain('late');
    await there.image('team/since', 'wip');
    expect((await dana.post('/ui/delete', { ...fields, confirm: 'wip' })).status).toBe(409);
    expect(await there.tags('team/since')).toContain('wip');
  });

  test('an image that is part of an index stays as long as the index is there', async () => {
    const there = contentWriter(registry());
    const image = await there.image('team/part', 'amd64');
    const manifests = [{ ...named(image), platform: { os: 'linux', architecture: 'amd64' } }];
    await there.manifest('team/part', { schemaVersion: 2, mediaType: types.index, manifests }, 'all');
    const dana = await visitorAt(url(), 'dana');
    const { page, seen } = await deleteBy(dana, 'team/part', 'amd64');
    expect(page.body).toContain('<b>all</b>');
    if (!deletesTags) expect([seen.status, seen.body.includes('is part of all')]).toEqual([409, true]);
    expect((await there.read('team/part', image.digest))?.digest).toBe(image.digest);
    expect(await there.tags('team/part')).toContain('all');
  });

  test('who may not delete, or not see, is told so, and a POST by them deletes nothing', async () => {
    const { there, image } = await under('team/app', 'v1', 'wip');
    const tom = await visitorAt(url(), 'tom');
    expect((await tom.get('/ui/delete?repository=team/app&tag=v1')).status).toBe(403);
    expect((await tom.get('/ui/delete?repository=team/app&tag=wip')).status).toBe(404);
    const logout = await tom.get('/ui/logout');
    const csrf = fieldOf(logout.body, 'csrf');
    const sent = { csrf, repository: 'team/app', tag: 'v1', digest: image.digest, list: '', confirm: 'v1' };
    expect((await tom.post('/ui/delete', sent)).status).toBe(403);
    expect([...(await there.tags('team/app'))].sort()).toEqual(['v1', 'wip']);
  });
}
