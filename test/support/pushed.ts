/** An image pushed and pulled through a gateway by somebody with a password. */
import { digestOf } from '../../src/distribution/digest.ts';
import { type ImageLayout, createImageLayout } from './image.ts';

export interface Carrier {
  /** Sends a request below `/v2/`, with the login. */
  readonly ask: (path: string, init?: RequestInit) => Promise<Response>;
  /** The status of the first step that was refused, or 201. */
  readonly push: (repository: string, tag: string) => Promise<number>;
  /** The status, and whether everything in the image has the digest that it should have. */
  readonly pull: (repository: string, tag: string) => Promise<{ readonly status: number; readonly isWhole: boolean }>;
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** By Basic, on every request. */
export function carrierAt(url: string, authorization: string): Carrier {
  const ask: Carrier['ask'] = (path, init = {}) =>
    fetch(new URL(path, url), {
      redirect: 'manual',
      ...init,
      headers: { authorization, accept: manifestType, ...init.headers },
    });
  const put = async (path: string, type: string, content: Uint8Array): Promise<number> => {
    const reply = await ask(path, { method: 'PUT', headers: { 'content-type': type }, body: Buffer.from(content) });
    await reply.arrayBuffer();
    return reply.status;
  };
  return {
    ask,
    async push(repository, tag) {
      const layout = createImageLayout(tag);
      const [manifest, blobs] = partsOf(layout);
      for (const [digest, content] of blobs) {
        const begun = await ask(`/v2/${repository}/blobs/uploads/`, { method: 'POST' });
        await begun.arrayBuffer();
        if (begun.status !== 202) return begun.status;
        const place = begun.headers.get('location') ?? '';
        const status = await put(
          `${place}${place.includes('?') ? '&' : '?'}digest=${digest}`,
          'application/octet-stream',
          content,
        );
        if (status !== 201) return status;
      }
      return put(`/v2/${repository}/manifests/${tag}`, manifestType, manifest);
    },
    async pull(repository, tag) {
      const reply = await ask(`/v2/${repository}/manifests/${tag}`);
      const got = Buffer.from(await reply.arrayBuffer());
      if (reply.status !== 200) return { status: reply.status, isWhole: false };
      let isWhole = reply.headers.get('docker-content-digest') === digestOf(got);
      const { config, layers } = JSON.parse(got.toString()) as Manifest;
      for (const { digest } of [config, ...layers]) {
        const blob = await ask(`/v2/${repository}/blobs/${digest}`);
        isWhole &&= digestOf(Buffer.from(await blob.arrayBuffer())) === digest;
      }
      return { status: 200, isWhole };
    },
  };
}

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

function partsOf({ files, digest }: ImageLayout): readonly [Uint8Array, readonly (readonly [string, Uint8Array])[]] {
  const all = [...files]
    .filter(([name]) => name.startsWith('blobs/sha256/'))
    .map(([name, content]): readonly [string, Uint8Array] => [name.replace('blobs/sha256/', 'sha256:'), content]);
  const manifest = all.find(([name]) => name === digest)?.[1];
  if (manifest === undefined) throw new Error('the layout has no manifest');
  return [manifest, all.filter(([name]) => name !== digest)];
}
