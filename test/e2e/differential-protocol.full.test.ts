import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWithPrograms } from '../support/programs.ts';
import { sha256 } from '../support/registry-api.ts';
import { type Conversation, type Exchanged, converse, locationOf, withParameter } from './support/conversation.ts';
import { type Sites, backends, startSites } from './support/sites.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';
const dockerType = 'application/vnd.docker.distribution.manifest.v2+json';
const bytes = { 'content-type': 'application/octet-stream' };
const unknownDigest = sha256('nobody has pushed this');
const content = Array.from({ length: 400 }, (_, index) => `line ${index}\n`).join('');

type Ask = Conversation['ask'];

/** A reply that is not the same, and should not be. */
interface Difference {
  /** Status without us, and with us. */
  readonly status: readonly [bare: number, guarded: number];
  readonly why: string;
}

interface Flow {
  readonly name: string;
  /** By what was asked; every other reply is the same. */
  readonly differs?: Readonly<Record<string, Difference>>;
  readonly talk: (ask: Ask) => Promise<void>;
}

const configOf = (name: string): string => JSON.stringify({ name, os: 'linux', architecture: 'amd64' });
const manifestOf = (name: string, more: object = {}): string => {
  const config = configOf(name);
  const described = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: sha256(config),
    size: config.length,
  };
  return JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: described, layers: [], ...more });
};

async function pushBlob(ask: Ask, repository: string, blob: string): Promise<void> {
  const begun = await ask('POST', `/v2/${repository}/blobs/uploads/`);
  await ask('PUT', withParameter(locationOf(begun), `digest=${sha256(blob)}`), { headers: bytes, body: blob });
}

async function pushManifest(ask: Ask, repository: string, reference: string, body: string): Promise<void> {
  const type = (JSON.parse(body) as { readonly mediaType: string }).mediaType;
  await ask('PUT', `/v2/${repository}/manifests/${reference}`, { headers: { 'content-type': type }, body });
}

const flows: readonly Flow[] = [
  {
    name: 'a blob is read whole, in part, on a condition, and when it is not there',
    talk: async (ask) => {
      await pushBlob(ask, 'read/blob', content);
      const target = `/v2/read/blob/blobs/${sha256(content)}`;
      const etag = `"${sha256(content)}"`;
      const asked: readonly Readonly<Record<string, string>>[] = [
        {},
        { range: 'bytes=0-9' },
        { range: 'bytes=3000-' },
        { range: 'bytes=-5' },
        { range: 'bytes=0-1,7-8' },
        { range: 'bytes=999999-' },
        { range: 'lines=1-2' },
        { 'if-none-match': etag },
        { 'if-none-match': `W/${etag}, "else"` },
        { 'if-none-match': '"else"' },
        { 'if-match': '"else"' },
        { range: 'bytes=5-', 'if-range': etag },
        { range: 'bytes=5-', 'if-range': '"else"' },
        { 'if-modified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' },
        { accept: 'application/json', 'accept-encoding': 'gzip' },
      ];
      for (const headers of asked) {
        await ask('GET', target, { headers });
        await ask('HEAD', target, { headers });
      }
      for (const method of ['GET', 'HEAD']) {
        await ask(method, `/v2/read/blob/blobs/${unknownDigest}`);
        await ask(method, `/v2/read/nothing/blobs/${unknownDigest}`);
      }
    },
  },
  {
    name: 'a broken download is resumed to the same bytes',
    talk: async (ask) => {
      const blob = content.repeat(50);
      await pushBlob(ask, 'read/resumed', blob);
      const target = `/v2/read/resumed/blobs/${sha256(blob)}`;
      const first = await ask('GET', target, { headers: { range: 'bytes=0-99999' } });
      const rest = await ask('GET', target, { headers: { range: 'bytes=100000-', 'accept-encoding': 'identity' } });
      expect(sha256(first.body + rest.body)).toBe(sha256(blob));
      await ask('GET', target, { headers: { range: `bytes=${blob.length}-` } });
    },
  },
  {
    name: 'a manifest is pushed and read by tag and by digest',
    talk: async (ask) => {
      await pushBlob(ask, 'read/manifest', configOf('m'));
      const manifest = manifestOf('m');
      await pushManifest(ask, 'read/manifest', 'one', manifest);
      await pushManifest(ask, 'read/manifest', 'one', manifest);
      await pushManifest(ask, 'read/manifest', 'two', manifest);
      await pushManifest(ask, 'read/manifest', sha256(manifest), manifest);
      const etag = `"${sha256(manifest)}"`;
      for (const reference of ['one', sha256(manifest)]) {
        for (const headers of [
          { accept: manifestType },
          { accept: `${dockerType}, ${manifestType}, ${indexType}` },
          { accept: '*/*' },
          { accept: dockerType },
          {},
          { accept: manifestType, 'if-none-match': etag },
          { accept: manifestType, 'if-none-match': sha256(manifest) },
          { accept: manifestType, 'if-none-match': '"else"' },
          { accept: manifestType, range: 'bytes=0-9' },
        ]) {
          await ask('GET', `/v2/read/manifest/manifests/${reference}`, { headers });
          await ask('HEAD', `/v2/read/manifest/manifests/${reference}`, { headers });
        }
      }
      for (const method of ['GET', 'HEAD']) {
        await ask(method, '/v2/read/manifest/manifests/three');
        await ask(method, `/v2/read/manifest/manifests/${unknownDigest}`);
        await ask(method, '/v2/read/nothing/manifests/one');
      }
    },
  },
  {
    name: 'a manifest that cannot be stored is refused in the registry’s own words',
    talk: async (ask) => {
      await pushBlob(ask, 'bad/manifest', configOf('bad'));
      const put = (reference: string, type: string, body: string): ReturnType<Ask> =>
        ask('PUT', `/v2/bad/manifest/manifests/${reference}`, { headers: { 'content-type': type }, body });
      await put('one', manifestType, 'no JSON');
      await put('one', manifestType, '');
      await put('one', manifestType, '{}');
      await put('one', 'text/plain', manifestOf('bad'));
      await put('one', dockerType, manifestOf('bad'));
      await put('one', manifestType, manifestOf('a config that was never pushed'));
      await put(unknownDigest, manifestType, manifestOf('bad'));
      await put(
        'index',
        indexType,
        JSON.stringify({
          schemaVersion: 2,
          mediaType: indexType,
          manifests: [{ mediaType: manifestType, digest: unknownDigest, size: 2 }],
        }),
      );
      await ask('GET', '/v2/bad/manifest/tags/list');
    },
  },
  {
    name: 'an index of several platforms is pushed and read with its parts',
    talk: async (ask) => {
      const platforms = ['amd64', 'arm64'];
      const parts = platforms.map((architecture) => ({ architecture, manifest: manifestOf(architecture) }));
      for (const { architecture, manifest } of parts) {
        await pushBlob(ask, 'many/platforms', configOf(architecture));
        await pushManifest(ask, 'many/platforms', sha256(manifest), manifest);
      }
      const index = JSON.stringify({
        schemaVersion: 2,
        mediaType: indexType,
        manifests: parts.map(({ architecture, manifest }) => ({
          mediaType: manifestType,
          digest: sha256(manifest),
          size: manifest.length,
          platform: { os: 'linux', architecture },
        })),
      });
      await pushManifest(ask, 'many/platforms', 'latest', index);
      await ask('GET', '/v2/many/platforms/manifests/latest', { headers: { accept: `${indexType}, ${manifestType}` } });
      await ask('HEAD', '/v2/many/platforms/manifests/latest', { headers: { accept: indexType } });
      await ask('GET', '/v2/many/platforms/manifests/latest', { headers: { accept: manifestType } });
      for (const { manifest } of parts) {
        await ask('GET', `/v2/many/platforms/manifests/${sha256(manifest)}`, { headers: { accept: manifestType } });
      }
    },
  },
  {
    name: 'a blob is uploaded in chunks, asked about, resumed, and refused out of order',
    talk: async (ask) => {
      const blob = content;
      const target = '/v2/upload/chunks/blobs/uploads/';
      let at = locationOf(await ask('POST', target, { headers: { 'content-length': '0' } }));
      const chunk = async (begin: number, end: number): Promise<void> => {
        const headers = { ...bytes, 'content-range': `${begin}-${end - 1}` };
        const reply = await ask('PATCH', at, { headers, body: blob.slice(begin, end) });
        if (reply.headers['location'] !== undefined) at = locationOf(reply);
      };
      await ask('GET', at);
      await chunk(0, 1000);
      const asked = await ask('GET', at);
      if (asked.headers['location'] !== undefined) at = locationOf(asked);
      await chunk(1000, 2000);
      await ask('HEAD', at);
      await chunk(2000, 3000);
      const last = await ask('PUT', withParameter(at, `digest=${encodeURIComponent(sha256(blob))}`), {
        headers: { ...bytes, 'content-range': `3000-${blob.length - 1}` },
        body: blob.slice(3000),
      });
      await ask('GET', locationOf(last));
      await ask('GET', at);
      for (const range of ['5-9', '0-99', 'bytes=0-9', '9-0']) {
        const other = locationOf(await ask('POST', target));
        await ask('PATCH', other, { headers: { ...bytes, 'content-range': range }, body: blob.slice(0, 10) });
      }
    },
  },
  {
    name: 'a blob is uploaded in one stream without a length, and finished by an empty request',
    talk: async (ask) => {
      const begun = await ask('POST', '/v2/upload/stream/blobs/uploads/');
      const sent = await ask('PATCH', locationOf(begun), { headers: bytes, body: content, chunks: 5 });
      const target = withParameter(locationOf(sent), `digest=${sha256(content)}`);
      await ask('PUT', target, { headers: { 'content-length': '0' } });
      await ask('HEAD', `/v2/upload/stream/blobs/${sha256(content)}`);
    },
  },
  {
    name: 'a blob is uploaded at once, with and without what is needed for it',
    talk: async (ask) => {
      const target = '/v2/upload/once/blobs/uploads/';
      const single = await ask('POST', `${target}?digest=${sha256(content)}`, { headers: bytes, body: content });
      if (single.status === 202) {
        const finish = withParameter(locationOf(single), `digest=${sha256(content)}`);
        await ask('PUT', finish, { headers: bytes, body: content });
      }
      await ask('HEAD', `/v2/upload/once/blobs/${sha256(content)}`);
      const wrong = await ask('POST', target);
      await ask('PUT', withParameter(locationOf(wrong), `digest=${unknownDigest}`), { headers: bytes, body: content });
      await ask('HEAD', `/v2/upload/once/blobs/${unknownDigest}`);
      const none = await ask('POST', target);
      await ask('PUT', locationOf(none), { headers: bytes, body: content });
      const empty = await ask('POST', target);
      await ask('PUT', withParameter(locationOf(empty), `digest=${sha256('')}`), {
        headers: { 'content-length': '0' },
      });
      await ask('HEAD', `/v2/upload/once/blobs/${sha256('')}`);
      await ask('POST', `${target}?digest-algorithm=sha512`);
    },
  },
  {
    name: 'an upload is cancelled, and is no longer there',
    talk: async (ask) => {
      const at = locationOf(await ask('POST', '/v2/upload/cancelled/blobs/uploads/'));
      const sent = await ask('PATCH', at, { headers: bytes, body: 'half' });
      await ask('DELETE', locationOf(sent));
      for (const method of ['GET', 'DELETE']) await ask(method, locationOf(sent));
      await ask('PATCH', locationOf(sent), { headers: bytes, body: 'half' });
      await ask('PUT', withParameter(locationOf(sent), `digest=${sha256('half')}`), { headers: bytes, body: 'half' });
      const unknown = '/v2/upload/cancelled/blobs/uploads/6a2c4e6f-0f0e-4a44-b0a3-3f2d4c5b6a79';
      for (const method of ['GET', 'DELETE']) await ask(method, unknown);
      await ask('PATCH', unknown, { headers: bytes, body: 'half' });
    },
  },
  {
    name: 'a blob of another repository is mounted, or uploaded where it cannot be',
    talk: async (ask) => {
      await pushBlob(ask, 'mount/source', content);
      const digest = sha256(content);
      const target = '/v2/mount/target/blobs/uploads/';
      await ask('POST', `${target}?mount=${digest}&from=mount/source`);
      await ask('HEAD', `/v2/mount/target/blobs/${digest}`);
      await ask('POST', `${target}?from=mount%2Fsource&mount=${encodeURIComponent(digest)}`);
      for (const query of [
        `mount=${digest}`,
        `mount=${unknownDigest}&from=mount/source`,
        `mount=${digest}&from=mount/nothing`,
        'from=mount/source',
      ]) {
        const instead = await ask('POST', `/v2/mount/fallback/blobs/uploads/?${query}`);
        await ask('DELETE', locationOf(instead));
      }
      await ask('HEAD', `/v2/mount/fallback/blobs/${digest}`);
    },
  },
  {
    name: 'tags are listed',
    differs: {
      'HEAD /v2/list/tags/tags/list': { status: [405, 405], why: 'refusals of ours are JSON, also here' },
      'POST /v2/list/tags/tags/list': { status: [405, 405], why: 'refusals of ours are JSON, also here' },
    },
    talk: async (ask) => {
      await pushBlob(ask, 'list/tags', configOf('t'));
      for (const tag of ['v1', 'v2', 'latest', 'B', 'a_b']) await pushManifest(ask, 'list/tags', tag, manifestOf('t'));
      for (const query of ['', '?n=2', '?n=2&last=latest', '?last=v1', '?n=0', '?n=1000', '?last=nothing', '?x=y']) {
        await ask('GET', `/v2/list/tags/tags/list${query}`);
      }
      await ask('GET', '/v2/list/nothing/tags/list');
      await ask('HEAD', '/v2/list/tags/tags/list');
      await ask('POST', '/v2/list/tags/tags/list');
    },
  },
  {
    name: 'an image without referrers, and with those that signing tools keep under tags',
    talk: async (ask) => {
      const signed = manifestOf('signed');
      await pushBlob(ask, 'signed/image', configOf('signed'));
      await pushManifest(ask, 'signed/image', '1', signed);
      await ask('GET', `/v2/signed/image/referrers/${sha256(signed)}`);
      await ask('GET', `/v2/signed/image/referrers/${sha256(signed)}?artifactType=application/x.test`);
      await ask('GET', `/v2/signed/nothing/referrers/${sha256(signed)}`);
      const fallback = sha256(signed).replace(':', '-');
      await ask('GET', `/v2/signed/image/manifests/${fallback}`, { headers: { accept: indexType } });
      const subject = { mediaType: manifestType, digest: sha256(signed), size: signed.length };
      await pushBlob(ask, 'signed/image', configOf('signature'));
      const signature = manifestOf('signature', { artifactType: 'application/x.test', subject });
      await pushManifest(ask, 'signed/image', sha256(signature), signature);
      const index = JSON.stringify({
        schemaVersion: 2,
        mediaType: indexType,
        manifests: [
          {
            mediaType: manifestType,
            digest: sha256(signature),
            size: signature.length,
            artifactType: 'application/x.test',
          },
        ],
      });
      await pushManifest(ask, 'signed/image', fallback, index);
      await ask('GET', `/v2/signed/image/manifests/${fallback}`, { headers: { accept: indexType } });
      for (const suffix of ['sig', 'att', 'sbom']) {
        await ask('HEAD', `/v2/signed/image/manifests/${fallback}.${suffix}`, { headers: { accept: manifestType } });
        await pushManifest(ask, 'signed/image', `${fallback}.${suffix}`, signature);
        await ask('GET', `/v2/signed/image/manifests/${fallback}.${suffix}`, { headers: { accept: manifestType } });
      }
      await ask('GET', '/v2/signed/image/tags/list');
    },
  },
  {
    name: 'manifests, tags and blobs are deleted, and once more',
    talk: async (ask) => {
      await pushBlob(ask, 'delete/image', configOf('d'));
      const manifest = manifestOf('d');
      await pushManifest(ask, 'delete/image', 'one', manifest);
      await pushManifest(ask, 'delete/image', 'two', manifest);
      await ask('DELETE', '/v2/delete/image/manifests/two');
      await ask('DELETE', '/v2/delete/image/manifests/three');
      for (let time = 0; time < 2; time++) await ask('DELETE', `/v2/delete/image/manifests/${sha256(manifest)}`);
      await ask('GET', '/v2/delete/image/manifests/one', { headers: { accept: manifestType } });
      await ask('GET', '/v2/delete/image/tags/list');
      for (let time = 0; time < 2; time++) await ask('DELETE', `/v2/delete/image/blobs/${sha256(configOf('d'))}`);
      await ask('HEAD', `/v2/delete/image/blobs/${sha256(configOf('d'))}`);
      await ask('DELETE', `/v2/delete/nothing/manifests/${unknownDigest}`);
      await ask('DELETE', `/v2/delete/nothing/blobs/${unknownDigest}`);
      await ask('DELETE', '/v2/delete/nothing/manifests/one');
    },
  },
  {
    name: 'requests that are no part of the protocol, or nearly',
    differs: {
      'GET /v2': { status: [301, 200], why: 'both spellings of the base are answered, since clients ask for both' },
      'GET /v2/odd/manifests': { status: [404, 404], why: 'refusals of ours are JSON' },
      'GET /v2/odd/image': { status: [404, 404], why: 'refusals of ours are JSON' },
      'GET /v2/Odd/image/tags/list': {
        status: [404, 400],
        why: 'a name with capital letters would be judged as another repository',
      },
      'GET /v2/odd/image/manifests/-no-tag': {
        status: [404, 404],
        why: 'the registry has no route for it and says so in plain text',
      },
      'GET /v2/odd/image/manifests/sha256:12': {
        status: [500, 400],
        why: 'the registry looks for a tag with a colon, and fails',
      },
      'GET /v2/odd/image/blobs/sha256:12': {
        status: [400, 400],
        why: 'the registry speaks of uploaded content, where there is none',
      },
      'POST /v2/odd/image/blobs/uploads': { status: [301, 202], why: 'a redirected POST loses its body or its method' },
      'PATCH /v2/odd/image/manifests/one': { status: [405, 405], why: 'refusals of ours are JSON' },
      'GET /v2/odd/image/blobs/uploads/': {
        status: [404, 405],
        why: 'uploads cannot be listed; the registry takes it for one without a name',
      },
      [`PUT /v2/odd/image/blobs/${unknownDigest}`]: { status: [405, 405], why: 'refusals of ours are JSON' },
      'GET /v2/odd/image/tags/list?n=-1': {
        status: [404, 400],
        why: 'a page of less than nothing is refused before the registry is asked',
      },
      'GET /v2/odd/image/tags/list?n=two': {
        status: [404, 400],
        why: 'a number that is none is refused before the registry is asked',
      },
    },
    talk: async (ask) => {
      await ask('GET', '/v2/');
      await ask('HEAD', '/v2/');
      await ask('GET', '/v2');
      await ask('GET', '/v2/odd/manifests');
      await ask('GET', '/v2/odd/image');
      await ask('GET', '/v2/Odd/image/tags/list');
      await ask('GET', '/v2/odd/image/manifests/-no-tag');
      await ask('GET', '/v2/odd/image/manifests/sha256:12');
      await ask('GET', '/v2/odd/image/blobs/sha256:12');
      await ask('POST', '/v2/odd/image/blobs/uploads');
      await ask('PATCH', '/v2/odd/image/manifests/one');
      await ask('GET', '/v2/odd/image/blobs/uploads/');
      await ask('PUT', `/v2/odd/image/blobs/${unknownDigest}`);
      await ask('GET', '/v2/odd/image/tags/list?n=-1');
      await ask('GET', '/v2/odd/image/tags/list?n=two');
    },
  },
  // Last, when the others have left repositories behind.
  {
    name: 'repositories are listed page by page',
    differs: {
      'GET /v2/_catalog?n=1001': {
        status: [400, 200],
        why: 'more than the registry gives at once is a page of what it gives',
      },
      'HEAD /v2/_catalog': { status: [405, 405], why: 'refusals of ours are JSON' },
    },
    talk: async (ask) => {
      for (const query of [
        '',
        '?n=2',
        '?n=2&last=bad/manifest',
        '?last=upload/once',
        '?n=1000',
        '?n=0',
        '?last=zzz',
        '?n=1001',
      ]) {
        await ask('GET', `/v2/_catalog${query}`);
      }
      await ask('HEAD', '/v2/_catalog');
    },
  },
];

/** What the gateway answers itself has no charset in the media type of JSON, and no line feed at the end. */
const ownReply = /^(?:GET|HEAD) \/v2\/(?:_catalog(?:\?.*)?)?$/;

function withoutSpelling({ headers, body, ...reply }: Exchanged): unknown {
  const { 'content-type': type, 'content-length': length, ...others } = headers;
  const isSized = Number(length?.[0]) >= body.trim().length;
  return { ...reply, headers: others, type: type?.map((each) => each.split(';')[0]), isSized, body: body.trim() };
}

/** An error as clients can read it; the registry has others (plain text, or a length without content). */
function isOfTheApi({ asked, headers, body }: Exchanged): boolean {
  if (headers['content-type']?.[0]?.startsWith('application/json') !== true) return false;
  return asked.startsWith('HEAD ') || body.includes('{"errors":[{"code":"');
}

function compare(flow: Flow, bare: readonly Exchanged[], guarded: readonly Exchanged[]): void {
  expect(guarded.map(({ asked }) => asked)).toEqual(bare.map(({ asked }) => asked));
  const { differs = {} } = flow;
  const seen = new Set<string>();
  for (const [index, reply] of guarded.entries()) {
    const expected = bare[index];
    if (expected === undefined) throw new Error('unreachable: as many replies were compared above');
    const difference = differs[reply.asked];
    if (difference !== undefined) {
      seen.add(reply.asked);
      expect([expected.status, reply.status], reply.asked).toEqual(difference.status);
      if ('allow' in expected.headers) expect(methodsIn(reply), reply.asked).toEqual(methodsIn(expected));
    } else if (expected.status >= 400 && !isOfTheApi(expected)) {
      expect([reply.status, isOfTheApi(reply)], reply.asked).toEqual([expected.status, true]);
    } else if (ownReply.test(reply.asked)) expect(withoutSpelling(reply)).toEqual(withoutSpelling(expected));
    else expect(reply).toEqual(expected);
  }
  expect([...seen].sort(), 'differences that no longer occur').toEqual(Object.keys(differs).sort());
}

function methodsIn({ headers }: Exchanged): readonly string[] | undefined {
  return headers['allow']?.flatMap((line) => line.split(', ')).sort();
}

describe.each(backends)('in front of $name', ({ needs, ...backend }) => {
  describeWithPrograms(needs, 'the protocol is the same as without us', () => {
    let sites: Sites;
    beforeAll(async () => {
      sites = await startSites({ ...backend, needs });
    });
    afterAll(() => sites?.stop());

    test.each(flows.map((flow) => [flow.name, flow] as const))('%s', async (_name, flow) => {
      const [bare, guarded] = await Promise.all(
        [sites.bare, sites.guarded].map(async (site): Promise<readonly Exchanged[]> => {
          const conversation = converse(site, sites.login);
          await flow.talk(conversation.ask);
          return conversation.exchanged;
        }),
      );
      compare(flow, bare ?? [], guarded ?? []);
    });
  });
});
