/** One image of a repository, by its tag or its digest: what it is made of, what is attached to it, where it came from. */
import { z } from 'zod';
import { parseDigest, parseTag } from '../distribution/reference.ts';
import type { ImageFacts, PlatformFacts, TagHistory } from '../ports.ts';
import { attachedView, attachmentsOf, attestationsIn } from './attachments.ts';
import {
  type BrowseParts,
  isImmutable,
  mayDelete,
  noImage,
  noRepository,
  pageMs,
  seesPushers,
  staleBy,
  visibleRepository,
} from './browse.ts';
import { digestNow, knownTags, sameAs } from './known-tags.ts';
import { rightsOf, rightsView } from './my-rights.ts';
import { instant, instantOf, operation } from './operation.ts';
import { factsInRow, moment, staleView } from './tags.ts';
import { type Viewer, maySee } from './viewer.ts';

const input = z.object({
  repository: z.string().describe('its name'),
  reference: z.string().max(255).describe('a tag or a digest'),
});

const moveView = z.object({ digest: z.string(), at: z.string(), by: z.string().optional() });

const platformView = z.object({
  digest: z.string(),
  /** `linux/arm64/v8`; absent where it does not say. */
  name: z.string().optional(),
  size: z.number().optional(),
  created: z.string().optional(),
  /** Texts are as the image has them: of any content. */
  config: z
    .object({
      user: z.string(),
      entrypoint: z.array(z.string()),
      command: z.array(z.string()),
      ports: z.array(z.string()),
      labels: z.record(z.string(), z.string()),
    })
    .optional(),
  layers: z.array(z.object({ digest: z.string(), size: z.number(), type: z.string(), command: z.string().optional() })),
});

const answer = z.object({
  repository: z.string(),
  rights: rightsView,
  tag: z.string().optional(),
  digest: z.string(),
  mediaType: z.string(),
  /** Of what is no image. */
  type: z.string().optional(),
  size: z.number().optional(),
  platforms: z.array(platformView),
  /** Not all of it was read yet. */
  partial: z.boolean(),
  attached: z.array(attachedView),
  /** What it is attached to. */
  subject: z.string().optional(),
  annotations: z.record(z.string(), z.string()),
  sameAs: z.array(z.string()),
  immutable: z.boolean(),
  /** Of the tag, the latest first. */
  history: z.array(moveView),
  lastPull: z.string().optional(),
  mayDelete: z.boolean(),
  stale: staleView,
});

export type ImageAnswer = z.output<typeof answer>;
export type PlatformView = z.output<typeof platformView>;

/** `GET /api/v1/image`. */
export const showImage = operation<BrowseParts>()({
  method: 'GET',
  path: '/image',
  summary: 'What a tag or digest is: platforms, layers, labels, what is attached, who moved the tag',
  needs: 'anybody',
  input,
  answer,
  async run(parts, viewer, { repository: asked, reference }) {
    const repository = visibleRepository(parts, viewer, asked);
    if (repository === undefined) return noRepository(asked);
    const glance = parts.browser.glance(pageMs);
    const [tag, given] = [parseTag(reference), parseDigest(reference)];
    if ((tag === undefined && given === undefined) || (tag !== undefined && !maySee(viewer, repository, tag)))
      return noImage(repository, reference);
    const tags = await knownTags(parts, viewer, repository, glance);
    if (tags === undefined) return noRepository(asked);
    const named =
      tag === undefined
        ? await glance.digestOf(repository, reference)
        : await digestNow(parts, tags, glance, repository, tag);
    const digest = named === 'none' ? named : (given ?? named?.digest);
    if (digest === 'none') return noImage(repository, reference);
    const facts = digest === undefined ? undefined : await glance.image(repository, digest, 'whole');
    if (facts === 'none') return noImage(repository, reference);
    if (digest === undefined || facts === undefined) return notYet;
    const [attached, histories] = await Promise.all([
      attachmentsOf(glance, tags.attachments, repository, digest),
      tag === undefined ? undefined : parts.activity.of(repository, [tag]),
    ]);
    return {
      ok: true,
      answer: {
        repository,
        rights: [...rightsOf(parts.upstreams, viewer, repository)],
        tag,
        digest,
        ...whatItIs(facts),
        attached: [...(attached ?? []), ...attestationsIn(facts)],
        sameAs: [...sameAs(parts, tags, repository)(tag, digest)],
        ...(tag === undefined ? ofNoTag : ofTag(parts, viewer, repository, tag, histories?.get(tag))),
        stale: staleBy(glance.trouble(), glance.staleSince(), tags.isListed),
      },
    };
  },
});

const notYet = {
  ok: false,
  reason: 'unavailable',
  detail: 'The registry does not answer, and nothing is known of this image yet; try again.',
} as const;

const ofNoTag = { immutable: false, history: [], mayDelete: false };

function ofTag(parts: BrowseParts, viewer: Viewer, repository: string, tag: string, history: TagHistory | undefined) {
  const isNamed = seesPushers(parts, viewer);
  const { moves = [], lastPull } = history ?? {};
  return {
    immutable: isImmutable(viewer, repository, tag),
    history: moves.map(({ digest, at, by }) => ({ digest, at: instant(at), ...(isNamed ? { by } : {}) })),
    lastPull: instantOf(lastPull),
    mayDelete: mayDelete(parts, viewer, repository, tag),
  };
}

function whatItIs(facts: ImageFacts) {
  const { mediaType, size, platforms, annotations, subject, isWhole } = facts;
  const { type } = factsInRow(facts);
  return { mediaType, size, annotations, subject, type, partial: !isWhole, platforms: platforms.map(platformOf) };
}

function platformOf({ digest, name, size, layers, config }: PlatformFacts): PlatformView {
  const steps = (config?.history ?? []).filter(({ isEmpty }) => !isEmpty);
  // Steps that do not fit the layers belong to other ones.
  const fits = steps.length === layers.length;
  return {
    digest,
    name,
    size,
    created: moment(config?.created),
    config: config && {
      user: config.user ?? '',
      entrypoint: [...config.entrypoint],
      command: [...config.command],
      ports: [...config.ports],
      labels: config.labels,
    },
    layers: layers.map((layer, at) => ({
      digest: layer.digest,
      size: layer.size,
      type: layer.mediaType,
      command: fits ? steps[at]?.createdBy : undefined,
    })),
  };
}
