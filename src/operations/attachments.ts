/** What is attached to an image, by its kind: said by whoever attached it, verified by nobody here. */
import { z } from 'zod';
import { attachmentsTag } from '../distribution/attachments.ts';
import type { Glance, ImageFacts } from '../ports.ts';
import { type Viewer, maySee } from './viewer.ts';

export const attachedView = z.object({
  kind: z.enum(['signature', 'SBOM', 'attestation', 'other']),
  /** What it calls itself, of any content. */
  type: z.string(),
  digest: z.string().optional(),
  tag: z.string().optional(),
});

export type Attachment = z.output<typeof attachedView>;

/** Of one image: a list of thousands is somebody's joke. */
const maxShown = 20;

/** What cosign calls its tags. */
const suffixes = { sig: 'signature', att: 'attestation', sbom: 'SBOM' } as const;

/** The tags among these that are made of digests, by the digest that each is about. */
export function tagsByDigest(names: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const tag of names) {
    const about = attachmentsTag(tag)?.of;
    if (about === undefined) continue;
    const known = found.get(about);
    if (known === undefined) found.set(about, [tag]);
    else known.push(tag);
  }
  return found;
}

/** The same, as far as a viewer may see them. */
export function attachmentTags(
  viewer: Viewer,
  repository: string,
  found: ReadonlyMap<string, readonly string[]>,
): AttachmentTags {
  return {
    of: (digest) => (found.get(digest) ?? []).filter((tag) => maySee(viewer, repository, tag)),
    // A rule that hides the list hides what is in it.
    isHidden: (digest) => !maySee(viewer, repository, digest.replace(':', '-')),
  };
}

export interface AttachmentTags {
  readonly of: (digest: string) => readonly string[];
  readonly isHidden: (digest: string) => boolean;
}

/** undefined where the registry did not say. */
export async function attachmentsOf(
  glance: Glance,
  tags: AttachmentTags,
  repository: string,
  digest: string,
): Promise<readonly Attachment[] | undefined> {
  const byTag = tags.of(digest).flatMap((tag): readonly Attachment[] => {
    const suffix = /\.([a-z]+)$/.exec(tag)?.[1];
    if (suffix === undefined) return [];
    const kind = suffix in suffixes ? suffixes[suffix as keyof typeof suffixes] : 'other';
    return [{ kind, type: `cosign .${suffix}`, tag }];
  });
  const listed = tags.isHidden(digest) ? [] : await glance.attached(repository, digest);
  if (listed === undefined) return byTag.length === 0 ? undefined : byTag;
  const byList = await Promise.all(
    listed.slice(0, maxShown).map(async (each): Promise<readonly Attachment[]> => {
      const facts = await glance.image(repository, each, 'row');
      if (facts === 'none') return [];
      if (facts === undefined) return [{ kind: 'other', type: 'not answered yet', digest: each }];
      return [{ kind: kindOf(facts), type: typeOf(facts), digest: each }];
    }),
  );
  return [...byTag, ...byList.flat()];
}

/** What BuildKit puts into an index beside the images that it is about. */
export function attestationsIn({ attestations }: Pick<ImageFacts, 'attestations'>): readonly Attachment[] {
  return attestations.map(({ digest }) => ({ kind: 'attestation', type: 'in-toto, in the index', digest }));
}

function typeOf({ artifactType, mediaType }: ImageFacts): string {
  return artifactType ?? mediaType;
}

/** By what it calls itself; sigstore's bundles say in annotations what they hold. */
function kindOf(facts: Pick<ImageFacts, 'artifactType' | 'mediaType' | 'annotations'>): Attachment['kind'] {
  const { annotations } = facts;
  const predicate = annotations['dev.sigstore.bundle.predicateType'] ?? annotations['in-toto.io/predicate-type'] ?? '';
  const text = `${facts.artifactType ?? facts.mediaType} ${predicate}`.toLowerCase();
  if (/spdx|cyclonedx|syft|sbom/.test(text)) return 'SBOM';
  const isMessage = annotations['dev.sigstore.bundle.content'] === 'message-signature';
  if (isMessage || /notary|signature|cosign\/sign|artifact\.sig/.test(text)) return 'signature';
  return /in-toto|provenance|slsa|attestation|sigstore\.bundle/.test(text) ? 'attestation' : 'other';
}
