/** `Docker-Content-Digest` where the registry leaves it out, which it may (distribution-spec, "Pulling manifests"). */
import type { IncomingMessage } from 'node:http';
import { digestOf } from '../../distribution/digest.ts';
import { parseDigest } from '../../distribution/reference.ts';
import type { RegistryRoute } from '../../distribution/route.ts';

/** What the request itself says that the answer is called; `content` is what it pushes. */
export function requestedDigest(route: RegistryRoute, content: Buffer | undefined): string | undefined {
  switch (route.kind) {
    case 'manifest-get':
      return 'digest' in route.reference ? route.reference.digest : undefined;
    case 'manifest-put':
      if ('digest' in route.reference) return route.reference.digest;
      return content === undefined ? undefined : digestOf(content);
    case 'blob-get':
    case 'upload-finish':
      return route.digest;
    default:
      return undefined;
  }
}

/** What the registry calls a manifest that it only points at. */
export function namedDigest({ headers }: IncomingMessage, { kind }: RegistryRoute): string | undefined {
  const digest = headers['docker-content-digest'];
  return kind === 'manifest-get' && typeof digest === 'string' ? parseDigest(digest) : undefined;
}

/** Whether it says that it is one; anything else is passed on as it comes. */
export function isManifest({ headers }: IncomingMessage): boolean {
  return /^application\/(?:vnd\.[a-z0-9.+-]+\+(?:json|prettyjws)|json)(?:;|$)/i.test(headers['content-type'] ?? '');
}
