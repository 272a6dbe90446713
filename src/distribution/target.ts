/** Routes as the registry is asked for them. */
import type { Page, Reference, RegistryRoute } from './route.ts';

/** The target to send upstream, built from the parsed pieces alone. */
export function formatTarget(route: RegistryRoute): string {
  switch (route.kind) {
    case 'ping':
      return '/v2/';
    case 'catalog':
      return `/v2/_catalog${formatQuery(pageParameters(route.page))}`;
    case 'tags':
      return `/v2/${route.repository}/tags/list${formatQuery(pageParameters(route.page))}`;
    case 'referrers':
      return `/v2/${route.repository}/referrers/${route.digest}${formatQuery([
        ['artifactType', route.artifactType],
        ...pageParameters(route.page),
      ])}`;
    case 'manifest-get':
    case 'manifest-delete':
      return `/v2/${route.repository}/manifests/${formatReference(route.reference)}`;
    case 'manifest-put': {
      const written = route.tags.map((tag): [string, string] => ['tag', tag]);
      return `/v2/${route.repository}/manifests/${formatReference(route.reference)}${formatQuery(written)}`;
    }
    case 'blob-get':
    case 'blob-delete':
      return `/v2/${route.repository}/blobs/${route.digest}`;
    case 'upload-start':
      return `/v2/${route.repository}/blobs/uploads/${formatQuery([
        ['mount', route.mount?.digest],
        ['from', route.mount?.from],
        ['digest', route.digest],
        ['digest-algorithm', route.digestAlgorithm],
      ])}`;
    case 'upload-status':
    case 'upload-chunk':
    case 'upload-finish':
    case 'upload-cancel': {
      return `/v2/${route.repository}/blobs/uploads/${route.id}${formatQuery([['digest', route.digest]])}`;
    }
  }
}

/** A target that the registry wrote for this upload, with what the client finishes it with. */
export function withDigest(target: string, route: RegistryRoute): string {
  if (route.kind !== 'upload-finish' || route.digest === undefined) return target;
  return `${target}${target.includes('?') ? '&' : '?'}digest=${encodeURIComponent(route.digest)}`;
}

/** As it stands in the path. */
export function formatReference(reference: Reference): string {
  return 'tag' in reference ? reference.tag : reference.digest;
}

function pageParameters(page: Page): [string, string | undefined][] {
  return [
    ['n', page.size === undefined ? undefined : String(page.size)],
    ['last', page.last],
  ];
}

function formatQuery(parameters: readonly (readonly [string, string | undefined])[]): string {
  const given = parameters.filter((parameter) => parameter[1] !== undefined);
  const pairs = given.map(([key, value]) => `${key}=${encodeURIComponent(value ?? '')}`);
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}
