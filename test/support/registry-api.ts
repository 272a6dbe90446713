import { createHash, randomBytes } from 'node:crypto';

/** The registry API with Basic credentials, as curl would call it: enough to push, tag, read and delete. */
export interface Api {
  readonly request: (
    method: string,
    path: string,
    body?: string,
    headers?: Record<string, string>,
  ) => Promise<Response>;
  /** Pushes a manifest with fresh content (or the given one) under `reference`; blobs are uploaded first. */
  readonly push: (repository: string, reference: string, content?: Manifest) => Promise<Response>;
  readonly remove: (repository: string, reference: string) => Promise<Response>;
  readonly digestOf: (repository: string, tag: string) => Promise<string | null>;
}

export interface Manifest {
  readonly text: string;
  readonly digest: string;
  readonly config: string;
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** Unlike every other. */
export function makeManifest(): Manifest {
  const config = JSON.stringify({ random: randomBytes(12).toString('hex') });
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(config), size: config.length },
    layers: [],
  });
  return { text, digest: sha256(text), config };
}

export function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

export function createApi(url: string, account?: string, password?: string): Api {
  const authorization =
    account === undefined ? undefined : `Basic ${Buffer.from(`${account}:${password ?? ''}`).toString('base64')}`;
  const request: Api['request'] = (method, path, body, headers = {}) =>
    fetch(new URL(path, url), {
      method,
      headers: { ...(authorization === undefined ? {} : { authorization }), ...headers },
      ...(body === undefined ? {} : { body }),
      redirect: 'manual',
    });

  const push: Api['push'] = async (repository, reference, content = makeManifest()) => {
    const started = await request('POST', `/v2/${repository}/blobs/uploads/`);
    if (started.status !== 202) return started;
    const location = new URL(started.headers.get('location') ?? '', url);
    location.searchParams.set('digest', sha256(content.config));
    const stored = await request('PUT', location.href, content.config, { 'content-type': 'application/octet-stream' });
    if (stored.status !== 201) return stored;
    return request('PUT', `/v2/${repository}/manifests/${reference}`, content.text, { 'content-type': manifestType });
  };

  return {
    request,
    push,
    remove: (repository, reference) => request('DELETE', `/v2/${repository}/manifests/${reference}`),
    digestOf: async (repository, tag) => {
      const head = await request('HEAD', `/v2/${repository}/manifests/${tag}`, undefined, { accept: manifestType });
      return head.headers.get('docker-content-digest');
    },
  };
}
