/**
 * Deleting a manifest by its digest takes away every tag that points at it and a part of every index that holds it, so it
 * is judged by each of those tags. Where the caller may delete certain tags only, such a tag must point at it.
 */
import type { Decision } from '../policy/evaluate.ts';
import type { Registry } from '../ports.ts';
import { digestOf } from '../distribution/digest.ts';
import { holdsManifest } from '../distribution/manifest.ts';
import { IndexWalk } from './contained.ts';
import { everyTag } from './every-tag.ts';
import type { KnownParts } from './known-parts.ts';
import { type TagJudgement, type TagAsker, allowed } from './tag-writes.ts';

/** Questions to the registry at once. */
const askedAtOnce = 16;

/** Whether tags can forbid what is deleted by digest; otherwise nothing has to be asked. */
export function hasGuardedTags({ policy, principal, repository, circumstances }: TagAsker): boolean {
  return policy.judgesTags({ ...circumstances, principal, action: 'delete', repository });
}

interface JudgedTag {
  readonly tag: string;
  readonly decision: Decision;
}

/**
 * Only tags that could turn the answer are resolved, and `unknown` is the answer unless each of them was. No more is asked
 * once `isWanted` is false.
 */
export async function judgeDeleteByDigest(
  registry: Pick<Registry, 'resolveTag' | 'tags' | 'manifest'>,
  writer: TagAsker,
  digest: string,
  known: KnownParts,
  isWanted: () => boolean = () => true,
): Promise<TagJudgement | { readonly kind: 'absent' }> {
  const { policy, principal, repository, circumstances } = writer;
  const question = { ...circumstances, principal, action: 'delete', repository } as const;
  if (!hasGuardedTags(writer)) return allowed;
  const untagged = policy.decide({ ...question, deletes: 'manifest' });
  const every = await everyTag(registry, repository, isWanted);
  if (!every.ok) return { kind: 'unknown', reason: every.reason };
  const judged = every.tags.map((tag): JudgedTag => ({ tag, decision: policy.decide({ ...question, tag }) }));
  const guarded = judged.filter(({ decision }) => !decision.allowed);
  const names = await namesOf(registry, repository, digest);
  if (!('has' in names)) return names;

  const walk = new IndexWalk({ registry, known, repository, isWanted });
  const fromGuarded = await firstOf(guarded, isWanted, async ({ tag, decision }) => {
    const current = await registry.resolveTag(repository, tag);
    if (!current.ok) return { kind: 'unknown', reason: current.reason };
    if (current.digest === undefined) return undefined;
    const contained = await walk.ofTag({ digest: current.digest, mediaType: current.mediaType });
    if (!contained.ok) return { kind: 'unknown', reason: contained.reason };
    const isPartOfIt = [...contained.digests].some((each) => names.has(each));
    return isPartOfIt ? { kind: 'denied', need: { action: 'delete', repository, tag }, decision } : undefined;
  });
  if (fromGuarded !== undefined) return fromGuarded;
  if (untagged.allowed) return judgeContent(registry, writer, digest);
  const free = judged.filter(({ decision }) => decision.allowed);
  const pointing = await firstOf(free, isWanted, async ({ tag }) => {
    const current = await registry.resolveTag(repository, tag);
    if (!current.ok) return { kind: 'unknown', reason: current.reason };
    return current.digest !== undefined && names.has(current.digest) ? allowed : undefined;
  });
  const need = { action: 'delete', repository, untagged: true } as const;
  return pointing ?? { kind: 'denied', need, decision: untagged };
}

/**
 * What no protected tag leads to by its manifests. The digest of a layer or configuration is deleted by distribution 2.8
 * here as well, which answers a look at it with 500: who may not delete layers deletes only what shows itself a manifest.
 */
async function judgeContent(
  registry: Pick<Registry, 'manifest'>,
  { policy, principal, repository, circumstances }: TagAsker,
  digest: string,
): Promise<TagJudgement | { readonly kind: 'absent' }> {
  const layer = policy.decide({ ...circumstances, principal, action: 'delete', repository, deletes: 'layer' });
  if (layer.allowed) return allowed;
  const reading = await registry.manifest(repository, digest);
  if (!reading.ok) return { kind: 'unknown', reason: reading.reason };
  if (reading.manifest === undefined) return { kind: 'absent' };
  if (holdsManifest(reading.manifest.mediaType, reading.manifest.content)) return allowed;
  return { kind: 'denied', need: { action: 'delete', repository, untagged: true }, decision: layer };
}

/** A registry may know one manifest by digests of several algorithms, and name it by the usual one. */
async function namesOf(
  registry: Pick<Registry, 'manifest'>,
  repository: string,
  digest: string,
): Promise<ReadonlySet<string> | Extract<TagJudgement, { kind: 'unknown' }>> {
  if (digest.startsWith('sha256:')) return new Set([digest]);
  const reading = await registry.manifest(repository, digest);
  if (!reading.ok) return { kind: 'unknown', reason: reading.reason };
  return new Set([digest, ...(reading.manifest === undefined ? [] : [digestOf(reading.manifest.content)])]);
}

/** The first judgement that `ask` comes to, of some questions at once in their order; undefined when it comes to none. */
async function firstOf<T>(
  entries: readonly T[],
  isWanted: () => boolean,
  ask: (entry: T) => Promise<TagJudgement | undefined>,
): Promise<TagJudgement | undefined> {
  const waiting = entries.values();
  let found: TagJudgement | undefined;
  const worker = async (): Promise<void> => {
    for (const entry of waiting) {
      if (!isWanted()) found ??= { kind: 'unknown', reason: 'timeout' };
      if (found !== undefined) return;
      const judgement = await ask(entry);
      // Nothing that was not found out outweighs a refusal.
      if (judgement !== undefined && (found === undefined || judgement.kind === 'denied')) found = judgement;
    }
  };
  await Promise.all(Array.from({ length: askedAtOnce }, worker));
  return found;
}
