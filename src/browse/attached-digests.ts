/** What the registry lists as attached to an image: by its API, and by the tag that stands for it (distribution-spec, "Referrers Tag Schema"). */
import type { Registry, RegistryFailure } from '../ports.ts';
import { readManifest } from './read-manifest.ts';

const maxAttached = 200;

/** Whether it is really attached each of them says itself. */
export async function readAttached(
  registry: Pick<Registry, 'referrers' | 'manifest'>,
  repository: string,
  digest: string,
): Promise<readonly string[] | RegistryFailure> {
  const listed = await registry.referrers(repository, digest);
  if (!listed.ok && listed.reason !== 'unsupported') return { ok: false, reason: listed.reason };
  const tagged = await registry.manifest(repository, digest.replace(':', '-'));
  if (!tagged.ok) return tagged;
  const entries = tagged.manifest === undefined ? [] : readManifest(tagged.manifest).images;
  const all = new Set([...(listed.ok ? listed.digests : []), ...entries.map((entry) => entry.digest)]);
  return [...all].slice(0, maxAttached);
}
