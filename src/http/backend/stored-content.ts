/** Manifests and lists that the registry keeps in a storage: read whole and looked at, since a storage vouches for nothing. */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { digestOf, hasDigest } from '../../distribution/digest.ts';
import { parseJson } from '../../distribution/json.ts';
import type { RegistryRoute } from '../../distribution/route.ts';
import type { MemoryShare } from '../../limits/memory-budget.ts';
import { readWhole } from './whole-content.ts';

export type StoredContent =
  | { readonly headers: OutgoingHttpHeaders; readonly content: Buffer; readonly digest?: string }
  | { readonly problem: string }
  | 'no_memory';

const lists = {
  tags: { type: 'application/json', shape: z.object({ tags: z.array(z.string()).nullable() }) },
  referrers: {
    type: 'application/vnd.oci.image.index.v1+json',
    shape: z.object({ manifests: z.array(z.object({ digest: z.string() })) }),
  },
} as const;

const typed = z.object({ mediaType: z.string().regex(/^application\/vnd\.[a-z0-9.+-]+$/) });

/**
 * What a storage has for a read of a manifest or list. A manifest has `digest`, if the request or the registry named
 * one, and the media type that it gives itself where the storage knows none; a list has the shape of one.
 */
export async function readStored(
  stored: IncomingMessage,
  { kind }: RegistryRoute,
  digest: string | undefined,
  headers: OutgoingHttpHeaders,
  share: MemoryShare,
): Promise<StoredContent> {
  if (headers['content-encoding'] !== undefined) return { problem: 'the content is encoded' };
  const content = await readWhole(stored, share);
  if (content === 'no_memory') return content;
  if (content === 'too_large') return { problem: 'more than 4 MiB is no manifest or list' };
  if (kind === 'tags' || kind === 'referrers') {
    const { type, shape } = lists[kind];
    if (!shape.safeParse(parseJson(content)).success) return { problem: 'the content is no list' };
    return { headers: { ...headers, 'content-type': type }, content };
  }
  if (digest !== undefined && !hasDigest(content, digest)) return { problem: 'the content has another digest' };
  const given = headers['content-type'];
  const isTyped = typeof given === 'string' && given.startsWith('application/vnd.');
  const own = isTyped ? undefined : typed.safeParse(parseJson(content));
  if (own?.success === false) return { problem: 'nothing says what kind of manifest the content is' };
  const named = digest ?? digestOf(content);
  const type = own === undefined ? given : own.data.mediaType;
  return {
    headers: { ...headers, 'content-type': type, 'docker-content-digest': named },
    content,
    digest: named,
  };
}
