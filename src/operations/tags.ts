/** A repository: what the viewer may do there, and its tags as far as the viewer may pull them. */
import { z } from 'zod';
import type { Glance, ImageFacts } from '../ports.ts';
import { attachedView, attachmentsOf, attestationsIn } from './attachments.ts';
import {
  type BrowseParts,
  isImmutable,
  mayDelete,
  noRepository,
  pageMs,
  seesPushers,
  staleBy,
  visibleRepository,
} from './browse.ts';
import { maxQuery, pageOf, readQuery } from './finding.ts';
import { type KnownTags, digestNow, knownTags, rememberedDigest, sameAs } from './known-tags.ts';
import { rightsOf, rightsView } from './my-rights.ts';
import { instant, instantOf, operation } from './operation.ts';
import type { Viewer } from './viewer.ts';

export const tagOrders = ['newest', 'name', 'size'] as const;

const input = z.object({
  repository: z.string().describe('its name'),
  q: z
    .string()
    .max(maxQuery)
    .optional()
    .describe('part of a tag, a whole one with *, or sha256: and the beginning of a digest'),
  order: z.enum(tagOrders).optional().describe('newest push first (if nothing is said), by name, or largest first'),
  after: z.string().max(128).optional().describe('the last tag of the page before'),
});

export const staleView = z
  .object({
    /** `away`: the registry does not answer; `slow`: not yet. */
    reason: z.enum(['away', 'slow']),
    /** Of when the list is. */
    since: z.string().optional(),
  })
  .optional();

const tagView = z.object({
  tag: z.string(),
  /** `missing`: it is listed, and there is no manifest; `unknown`: the registry has not answered yet. */
  state: z.enum(['known', 'missing', 'unknown']),
  digest: z.string().optional(),
  size: z.number().optional(),
  platforms: z.array(z.string()),
  /** Of what is no image, its own word for what it is. */
  type: z.string().optional(),
  created: z.string().optional(),
  pushed: z.object({ at: z.string(), by: z.string().optional() }).optional(),
  lastPull: z.string().optional(),
  /** The first of them, and how many there are beside these. */
  sameAs: z.array(z.string()),
  moreSame: z.number(),
  immutable: z.boolean(),
  attached: z.array(attachedView),
  mayDelete: z.boolean(),
});

export type TagView = z.output<typeof tagView>;

const answer = z.object({
  repository: z.string(),
  rights: rightsView,
  /** Tags that the viewer may see, and those of them that are looked for. */
  total: z.number(),
  matching: z.number(),
  /** false: the registry has more, which are not looked through. */
  complete: z.boolean(),
  /** The one that was pushed last, for commands. */
  newest: z.object({ tag: z.string(), digest: z.string().optional(), type: z.string().optional() }).optional(),
  tags: z.array(tagView),
  /** `after` of the next page. */
  next: z.string().optional(),
  stale: staleView,
});

export type TagsAnswer = z.output<typeof answer>;

/** `GET /api/v1/tags`. */
export const listTags = operation<BrowseParts>()({
  method: 'GET',
  path: '/tags',
  summary: 'Tags of a repository that you may pull, fifty a page',
  needs: 'anybody',
  input,
  answer,
  async run(parts, viewer, { repository: asked, q = '', order = 'newest', after }) {
    const repository = visibleRepository(parts, viewer, asked);
    if (repository === undefined) return noRepository(asked);
    const until = performance.now() + pageMs;
    const glance = parts.browser.glance(pageMs);
    const tags = await knownTags(parts, viewer, repository, glance);
    if (tags === undefined) return noRepository(asked);
    const lookMs = Math.max(0, Math.min(longestLookMs, until - performance.now()));
    const looked = await lookedFor({ ...parts, lookMs }, tags, repository, q, order);
    const { page, next } = pageOf(looked, after, order);
    const rows = await rowsOf({ parts, viewer, repository, tags, glance }, page);
    const newest = newestOf(tags, rows);
    return {
      ok: true,
      answer: {
        repository,
        rights: [...rightsOf(parts.upstreams, viewer, repository)],
        total: tags.names.length,
        matching: looked.length,
        complete: tags.isComplete,
        newest: newest === undefined ? undefined : namedOnly(newest, rows, tags),
        tags: [...rows],
        next,
        stale: staleBy(glance.trouble(), glance.staleSince(), tags.isListed),
      },
    };
  },
});

/** Milliseconds for looking at what every tag is, where that is asked for; the page itself has the rest. */
const longestLookMs = 900;

type LookParts = BrowseParts & { readonly lookMs: number };

/** Those that are looked for, in order. What is not known in time comes last, and matches no digest. */
async function lookedFor(
  parts: LookParts,
  tags: KnownTags,
  repository: string,
  q: string,
  order: (typeof tagOrders)[number],
): Promise<readonly string[]> {
  const query = readQuery(q);
  const named = query?.kind === 'name' ? tags.names.filter(query.matches) : tags.names;
  const digests = query?.kind === 'digest' || order === 'size' ? await digestsOf(parts, tags, repository, named) : none;
  const found =
    query?.kind === 'digest' ? named.filter((tag) => digests.get(tag)?.digest.startsWith(query.prefix)) : named;
  if (order === 'name') return found;
  const rank =
    order === 'newest'
      ? (tag: string) => tags.moves.get(tag)?.at ?? -1
      : (tag: string) => digests.get(tag)?.facts?.size ?? -1;
  return found
    .map((tag) => ({ tag, rank: rank(tag) }))
    .sort((left, right) => right.rank - left.rank)
    .map(({ tag }) => tag);
}

type Digests = ReadonlyMap<string, { readonly digest: string; readonly facts: ImageFacts | undefined }>;
const none: Digests = new Map();

async function digestsOf(
  parts: LookParts,
  tags: KnownTags,
  repository: string,
  names: readonly string[],
): Promise<Digests> {
  const glance = parts.browser.glance(parts.lookMs);
  const found = new Map<string, { digest: string; facts: ImageFacts | undefined }>();
  const lookAt = async (tag: string): Promise<void> => {
    const digest =
      rememberedDigest(parts, tags, repository, tag) ??
      (await digestNow(parts, tags, glance, repository, tag))?.digest ??
      'none';
    if (digest === 'none') return;
    const facts = await glance.image(repository, digest, 'row');
    found.set(tag, { digest, facts: facts === 'none' ? undefined : facts });
  };
  await Promise.all(names.map(lookAt));
  return found;
}

interface Looking {
  readonly parts: BrowseParts;
  readonly viewer: Viewer;
  readonly repository: string;
  readonly tags: KnownTags;
  readonly glance: Glance;
}

async function rowsOf(looking: Looking, page: readonly string[]): Promise<readonly TagView[]> {
  const { parts, viewer, repository, tags, glance } = looking;
  const [histories, read] = await Promise.all([
    parts.activity.of(repository, page),
    Promise.all(page.map((tag) => readTag(looking, tag))),
  ]);
  const others = sameAs(parts, tags, repository);
  const attached = await Promise.all(
    read.map(async ({ digest, facts }) =>
      digest === undefined || facts === undefined ? [] : attachmentsOf(glance, tags.attachments, repository, digest),
    ),
  );
  return read.map(({ tag, state, digest, facts }, at): TagView => {
    const same = digest === undefined ? [] : others(tag, digest);
    const { moves = [], lastPull } = histories?.get(tag) ?? {};
    const [move] = moves;
    // Moved past this gateway since, nobody knows by whom.
    const isIts = move !== undefined && (digest === undefined || move.digest === digest);
    const by = isIts && seesPushers(parts, viewer) ? { by: move.by } : {};
    return {
      tag,
      state,
      digest,
      ...(facts === undefined ? { platforms: [] } : factsInRow(facts)),
      pushed: isIts ? { at: instant(move.at), ...by } : undefined,
      lastPull: instantOf(lastPull),
      sameAs: same.slice(0, maxSame),
      moreSame: Math.max(0, same.length - maxSame),
      immutable: isImmutable(viewer, repository, tag),
      attached: [...(attached[at] ?? []), ...(facts === undefined ? [] : attestationsIn(facts).slice(0, 1))],
      mayDelete: mayDelete(parts, viewer, repository, tag),
    };
  });
}

/** Names that a row says of the same image. */
const maxSame = 6;

async function readTag({ parts, repository, tags, glance }: Looking, tag: string) {
  const named = await digestNow(parts, tags, glance, repository, tag);
  const unread = { tag, digest: undefined, facts: undefined };
  if (named === undefined) return { ...unread, state: 'unknown' } as const;
  const { digest } = named;
  if (digest === 'none') return { ...unread, state: 'missing' } as const;
  const facts = await glance.image(repository, digest, 'row');
  if (facts === 'none') return { ...unread, digest, state: named.isFresh ? 'missing' : 'unknown' } as const;
  return { tag, digest, facts, state: facts === undefined ? 'unknown' : 'known' } as const;
}

/** What a row says of an image. */
export function factsInRow({ size, platforms, artifactType, mediaType }: ImageFacts) {
  const names = platforms.flatMap(({ name }) => name ?? []);
  const created = platforms.map(({ config }) => moment(config?.created)).filter((each) => each !== undefined);
  return {
    size,
    platforms: names,
    type: names.length > 0 ? undefined : (artifactType ?? mediaType),
    created: created.sort().at(-1),
  };
}

/** Of what an image says of itself; undefined where that is no time. */
export function moment(text: string | undefined): string | undefined {
  const at = text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : instant(at);
}

/** For commands: pushed last, `latest`, or the first one that is an image. */
function newestOf({ moves, names }: KnownTags, rows: readonly TagView[]): string | undefined {
  let newest: string | undefined;
  for (const name of names) {
    const at = moves.get(name)?.at;
    if (at !== undefined && at > (moves.get(newest ?? '')?.at ?? -Infinity)) newest = name;
  }
  if (newest !== undefined) return newest;
  return names.includes('latest') ? 'latest' : rows.find(({ state }) => state === 'known')?.tag;
}

function namedOnly(tag: string, rows: readonly TagView[], { moves }: KnownTags) {
  const row = rows.find((each) => each.tag === tag);
  return { tag, digest: row?.digest ?? moves.get(tag)?.digest, type: row?.type };
}
