/** What only writing shows: a large manifest, and lists in pages. Done where --write allows it, and removed again. */
import { digestOf } from '../distribution/digest.ts';
import { createUpstreams, remoteName } from '../distribution/upstreams.ts';
import type { UpstreamTerms } from '../config/upstreams.ts';
import type { WebAnswer } from '../ports/doctor.ts';
import { type Check, type Outcome, fail, ok, skip, warn } from './check.ts';
import { type Context, isFailure } from './context.ts';
import { closed, registriesOf, trusting } from './registry.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
/** As much as distribution and zot take. */
const manifestBytes = 4_194_304;
const tags = ['portcullis-doctor-1', 'portcullis-doctor-2'];

export const registryWriteCheck: Check = {
  number: 16,
  name: 'large manifests and pages',
  asks: registriesOf,
  async run(context) {
    const { writeTo, config } = context;
    if (writeTo === undefined) return skip('nothing is written without --write REPOSITORY');
    const upstream = createUpstreams(config.upstreams).of(writeTo);
    const there = upstream && remoteName(upstream, writeTo);
    if (upstream === undefined || there === undefined) return skip(`no registry behind has ${writeTo}`);
    return (await closed(context, upstream)) ?? writes(context, upstream, there);
  },
};

type Put = (
  method: string,
  path: string,
  body?: string,
  type?: string,
) => Promise<WebAnswer | { readonly failed: string }>;

async function writes(context: Context, upstream: UpstreamTerms, repository: string): Promise<Outcome> {
  const { url } = upstream;
  const put: Put = (method, path, body, type) =>
    context.web.ask(new URL(path, url).href, {
      method,
      ...trusting(context, upstream),
      ...(body === undefined ? {} : { body, headers: { 'content-type': type ?? 'application/octet-stream' } }),
    });
  const base = `/v2/${repository}`;
  const uploaded = await upload(put, base, '{}');
  if (uploaded !== undefined) return fail(`${url}: ${uploaded}`, 'see the log of the registry');
  const manifest = largeManifest(manifestBytes);
  const digest = digestOf(Buffer.from(manifest));
  for (const tag of tags) {
    const answer = await put('PUT', `${base}/manifests/${tag}`, manifest, manifestType);
    if (!isFailure(answer) && answer.status === 201) continue;
    await put('DELETE', `${base}/manifests/${digest}`);
    const fix = 'raise its bound, or that of what stands before it';
    return fail(`${url} does not take a manifest of 4 MB: ${said(answer)}`, fix);
  }
  const listed = await put('GET', `${base}/tags/list?n=1`);
  const deleted = await put('DELETE', `${base}/manifests/${digest}`);
  if (isFailure(listed) || listed.status !== 200) return fail(`${url} lists no tags: ${said(listed)}`, 'see its log');
  const how = listed.headers['link'] === undefined ? '; it lists all tags at once' : ', and lists in pages';
  const found = `${url} takes a manifest of 4 MB${how}`;
  return !isFailure(deleted) && deleted.status === 202
    ? ok(found)
    : warn(`${found}; what was written stays: ${said(deleted)}`, `delete ${tags.join(' and ')} of ${repository} there`);
}

/** Why a blob cannot be uploaded; undefined: it was. */
async function upload(put: Put, base: string, content: string): Promise<string | undefined> {
  const begun = await put('POST', `${base}/blobs/uploads/`, '');
  const location = isFailure(begun) ? undefined : begun.headers['location'];
  if (location === undefined) return `no upload begins: ${said(begun)}`;
  const target = `${location}${location.includes('?') ? '&' : '?'}digest=${digestOf(Buffer.from(content))}`;
  const ended = await put('PUT', target, content);
  return !isFailure(ended) && ended.status === 201 ? undefined : `no upload ends: ${said(ended)}`;
}

function said(answer: WebAnswer | { readonly failed: string }): string {
  return isFailure(answer) ? answer.failed : `status ${answer.status}`;
}

/** Exactly so many bytes. */
function largeManifest(bytes: number): string {
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(Buffer.from('{}')), size: 2 };
  const of = (padding: string): string =>
    JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config, layers: [config], annotations: { padding } });
  return of('x'.repeat(bytes - of('').length));
}
