import { type ClientRequest, request as httpRequest } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/distribution/digest.ts';
import { type Front, credentials, service, startFront } from './support/front.ts';

/** What changes while a request is under way: whoever sends a body decides how long that is. */

const share = `rules:
  - { name: share, subjects: ['user:dana'], repositories: ['sandbox/**'], actions: [pull, push, delete] }
`;
const guarded = `${share}  - { name: keep, effect: deny, subjects: [everyone], repositories: ['sandbox/**'], tags: ['v*'], actions: [delete] }
`;
const nobody = share.replace('user:dana', 'user:tess');
const image = '{"schemaVersion":2}';
const digest = digestOf(Buffer.from(image));
const indexType = 'application/vnd.oci.image.index.v1+json';
const imageType = 'application/vnd.oci.image.manifest.v1+json';
const indexOf = (child: string): string => JSON.stringify({ manifests: [{ digest: child, mediaType: indexType }] });
const index = indexOf(digest);
const stored = new Map([
  [digest, image],
  [digestOf(Buffer.from(index)), index],
]);
const dana = `Basic ${credentials('dana')}`;

let front: Front;
afterEach(() => front.close());

/** A push of which the last byte is still missing, once the gateway has let it begin. */
async function beginPush(reference: string, authorization: string, content = image) {
  const headers = { authorization, 'content-length': content.length, expect: '100-continue' };
  const path = `${front.url}/v2/sandbox/app/manifests/${reference}`;
  const pushing: ClientRequest = httpRequest(path, { method: 'PUT', headers, agent: false });
  const answered = new Promise<number>((resolve, reject) => {
    pushing.on('error', reject);
    pushing.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
  });
  pushing.flushHeaders();
  await Promise.race([new Promise((resolve) => pushing.once('continue', resolve)), answered]);
  pushing.write(content.slice(0, -1));
  return { finish: () => (pushing.end(content.slice(-1)), answered) };
}

const writes = (): readonly string[] => front.forwarded.filter((line) => /^(?:PUT|DELETE) /.test(line));

describe('a manifest whose body is still coming', () => {
  test.each(['v1', digest, `${digest}?tag=v1`])('is pushed as %s when nothing changes', async (reference) => {
    front = await startFront({ rules: share });
    expect(await (await beginPush(reference, dana)).finish()).toBe(201);
    expect(writes()).toHaveLength(1);
  });

  test.each(['v1', digest, `${digest}?tag=v1`])(
    'is not pushed as %s when the policy forbids it by now',
    async (reference) => {
      front = await startFront({ rules: share });
      const push = await beginPush(reference, dana);
      await front.setPolicy(nobody);
      expect(await push.finish()).toBe(403);
      expect(writes()).toEqual([]);
    },
  );

  test.each(['v1', digest])('is not pushed as %s when the login was revoked meanwhile', async (reference) => {
    front = await startFront({ rules: share });
    const scope = 'repository:sandbox/app:pull,push';
    const login = await fetch(`${front.url}/token?service=${service}&offline_token=true&scope=${scope}`, {
      headers: { authorization: dana },
    });
    const { token } = (await login.json()) as { readonly token: string };
    const push = await beginPush(reference, `Bearer ${token}`);
    const revoked = await fetch(`${front.url}/token/revoke`, { method: 'POST', body: new URLSearchParams({ token }) });
    expect(revoked.status).toBe(200);
    expect(await push.finish()).toBe(401);
    expect(writes()).toEqual([]);
  });
});

const parts = Array.from({ length: 1200 }, (_, number) => JSON.stringify({ schemaVersion: 2, number }));
const digestsOfParts = parts.map((text) => digestOf(Buffer.from(text)));
const indexOfMany = JSON.stringify({ manifests: digestsOfParts.map((part) => ({ digest: part })) });

describe('while an index of 1,200 parts is pushed to a protected tag', () => {
  test('no deletion by digest comes between in that repository', async () => {
    let arrive: () => void = () => {};
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    let go: () => void = () => {};
    const held = new Promise<void>((resolve) => (go = resolve));
    front = await startFront({
      rules: guarded,
      manifests: new Map([...stored, ...parts.map((text, at) => [digestsOfParts[at] ?? '', text] as const)]),
      hold(line) {
        if (!line.startsWith('PUT ') || !line.endsWith('/v1')) return Promise.resolve();
        arrive();
        return held;
      },
    });
    const manifest = `${front.url}/v2/sandbox/app/manifests`;
    const pushed = (await beginPush('v1', dana, indexOfMany)).finish();
    await arrived;
    const remove = async (which: string, of = manifest): Promise<number> => {
      const deletion = { method: 'DELETE', headers: { authorization: dana } };
      return (await fetch(`${of}/${which}`, deletion)).status;
    };
    const deleted = [digestsOfParts[1] ?? '', digestsOfParts[1100] ?? '', digest].map((which) => remove(which));
    // Time for the deletions to arrive, were they not made to wait: of another repository they are let through.
    expect(await remove(digest, manifest.replace('app', 'other'))).toBe(202);
    expect(
      (await fetch(`${manifest}/wip`, { method: 'PUT', headers: { authorization: dana }, body: '{}' })).status,
    ).toBe(201);
    expect(writes().filter((line) => line.startsWith('DELETE ') && line.includes('/app/'))).toEqual([]);
    go();
    expect([await pushed, ...(await Promise.all(deleted))]).toEqual([201, 202, 202, 202]);
  });
});

describe('a deletion by digest that is still looking at the tags', () => {
  test.each([
    ['at the digest', image],
    ['at an index of it', index],
    ['at an index of an index of it', indexOf(digestOf(Buffer.from(index)))],
    [
      'at an index that calls an index of it an image',
      indexOf(digestOf(Buffer.from(index))).replace(indexType, imageType),
    ],
    ['at an index of many', indexOfMany],
  ])('lets no push point a protected tag %s', async (_where, content) => {
    let look: () => void = () => {};
    const looking = new Promise<void>((resolve) => (look = resolve));
    let go: () => void = () => {};
    const held = new Promise<void>((resolve) => (go = resolve));
    front = await startFront({
      rules: guarded,
      manifests: stored,
      hold(line) {
        if (!line.includes('/tags/list')) return Promise.resolve();
        look();
        return held;
      },
    });
    const manifest = `${front.url}/v2/sandbox/app/manifests`;
    const deleted = fetch(`${manifest}/${digest}`, { method: 'DELETE', headers: { authorization: dana } });
    await looking;
    const push = await beginPush('v1', dana, content);
    const pushed = push.finish();
    // Time for the push to arrive, were it not made to wait: this one of other content is let through.
    const other = { method: 'PUT', headers: { authorization: dana }, body: '{}' };
    expect((await fetch(`${manifest}/v2`, other)).status).toBe(201);
    go();
    expect((await deleted).status).toBe(202);
    expect(await pushed).toBe(201);
    expect(writes().map((line) => line.split('/').at(-1))).toEqual(['v2', digest, 'v1']);
  });
});
