/**
 * A promotion from the first look to the tag: judged, read whole, judged by the gates, copied, and judged once more in the
 * turn of its tag, which is written last. Whatever fails before leaves no tag, and doing it again is safe.
 */
import { randomUUID } from 'node:crypto';
import type { Access } from '../distribution/access.ts';
import { onlyHeld } from '../distribution/attachments.ts';
import { digestOf } from '../distribution/digest.ts';
import type { Promotion, StoredManifest } from '../ports.ts';
import { promoterOf, standing } from './asker.ts';
import { attachedIn } from './attached.ts';
import { type Closure, readClosure } from './closure.ts';
import { copyBlobs, copyLists, copyManifests } from './copy.ts';
import { type Fault, registryFault } from './fault.ts';
import { type GateOutcome, passGates, withCopies } from './gates.ts';
import {
  type Done,
  type PromotionAsk,
  type PromotionOutcome,
  type PromotionParts,
  gateFacts,
  refusedBy,
  refusedByGates,
} from './outcome.ts';
import { type Promoter, judgeTarget, mayAttach, mayPromote, mayPull, reachesFor } from './rights.ts';
import { setTag } from './tagging.ts';

/** Every expected failure is an outcome; it throws for bugs and broken I/O only. */
export async function promote(parts: PromotionParts, ask: PromotionAsk): Promise<PromotionOutcome> {
  const began = parts.clock();
  const { source, target } = ask.request;
  const promoter = promoterOf(parts, ask);
  const judged = mayPromote(promoter, target.repository, target.tag);
  if (!judged.allowed) return { kind: 'not_allowed', caller: ask.caller, tag: target.tag, decision: judged };
  const isReadable = mayPull(promoter, source).allowed;
  // In place of a source that may not be read, one that never exists: no word, failure or time tells whether that one does.
  const reading = await (isReadable
    ? parts.registry.manifest(source.repository, source.reference)
    : parts.registry.manifest(target.repository, randomUUID()));
  // A wider token helps only where the policy would give one.
  const access = isReadable ? lackingAccess(ask) : undefined;
  if (access !== undefined) return { kind: 'scope_insufficient', access };
  if (!reading.ok) return registryFault(reading, 'reading the source');
  if (!isReadable || reading.manifest === undefined) return { kind: 'source_unknown' };
  const root = reading.manifest;
  const ended = await begin(parts, ask, promoter, root, began);
  return { digest: root.digest, ...ended };
}

function lackingAccess({ caller, request: { source, target } }: PromotionAsk): readonly Access[] | undefined {
  const isReached = reachesFor(caller, source.repository, 'pull') && reachesFor(caller, target.repository, 'promote');
  if (isReached) return undefined;
  const pull = { type: 'repository', name: source.repository, actions: ['pull'] } as const;
  if (source.repository === target.repository) return [{ ...pull, actions: ['pull', 'promote'] }];
  return [pull, { type: 'repository', name: target.repository, actions: ['promote'] }];
}

/** What can be told before anything is read or written in full. */
async function begin(
  parts: PromotionParts,
  ask: PromotionAsk,
  promoter: Promoter,
  root: StoredManifest,
  began: number,
): Promise<PromotionOutcome> {
  const { request, caller, policy, address } = ask;
  const { repository, tag } = request.target;
  const judged = await judgeTarget(parts.registry, promoter, request.target, root.digest);
  const refusal = refusedBy(judged, caller, tag);
  if (refusal !== undefined) return refusal;
  const decision = 'decision' in judged ? judged.decision : mayPromote(promoter, repository, tag);
  const spender = { principal: caller.principal, address, repository };
  const spending = request.dryRun ? free : await parts.limits.spend(policy, 'push', spender);
  if (!spending.admitted) return { kind: 'limit_reached', states: spending.states };
  const done = (counts: Partial<Counts>): Done => ({
    promotion: promotionOf(parts, ask, root.digest, began, counts),
    left: counts.left ?? [],
    decision,
    writes: judged.kind === 'free' ? judged.writes : 'repeat',
    states: spending.states,
  });
  if (judged.kind === 'same') return { kind: 'repeated', ...done({}) };
  const closure = await readAll(parts, ask, promoter, root);
  if ('kind' in closure) return closure;
  const first = await passAll(parts, ask, closure);
  const refused = refusedByGates(first);
  if (refused !== undefined) return refused;
  if (request.dryRun) return { kind: 'planned', ...gateFacts(first), ...done(countsOf(closure)) };
  const copied = await copyAll(parts, ask, closure);
  if ('kind' in copied) return copied;
  const tagged = await setTag(parts, ask, closure);
  if (tagged.kind !== 'tagged') return tagged;
  return { kind: 'promoted', ...gateFacts(tagged.gates), ...done({ ...countsOf(closure), ...copied }) };
}

const free = { admitted: true, states: [] } as const;

interface Counts {
  readonly manifests: number;
  readonly blobs: number;
  readonly mounted: number;
  readonly bytes: number;
  readonly left: readonly string[];
}

function countsOf({ images, attachments, lists, blobs }: Closure): Pick<Counts, 'manifests' | 'blobs'> {
  return { manifests: images.size + attachments.size + lists.length, blobs: blobs.size };
}

function promotionOf(
  { clock }: PromotionParts,
  { request: { source, target, reason }, caller: { principal } }: PromotionAsk,
  digest: string,
  began: number,
  { manifests = 0, blobs = 0, mounted = 0, bytes = 0 }: Partial<Counts>,
): Promotion {
  const now = clock();
  return {
    id: randomUUID(),
    at: now,
    account: 'name' in principal ? principal.name : '',
    kind: principal.kind === 'anonymous' ? 'user' : principal.kind,
    digest,
    source: { repository: source.repository, reference: source.reference },
    target: { repository: target.repository, reference: target.tag },
    reason,
    manifests,
    blobs,
    mounted,
    bytes,
    durationMs: Math.max(0, now - began),
  };
}

/** Within one repository everything is there already. */
async function readAll(
  parts: PromotionParts,
  { request: { source, target, attachments }, caller }: PromotionAsk,
  promoter: Promoter,
  root: StoredManifest,
): Promise<Closure | PromotionOutcome> {
  const { repository } = source;
  const isWithin = repository === target.repository;
  const mayRead = (tag: string): boolean => mayPull(promoter, { repository, reference: tag }).allowed;
  const { registry } = parts;
  const isAttached = attachedIn(registry, repository);
  const from = { registry, repository, mayRead, isAttached, attachments: attachments && !isWithin };
  const closure = await readClosure(from, root);
  if ('kind' in closure) return closure;
  for (const { tag } of closure.lists) {
    const decision = mayAttach(promoter, target.repository, tag);
    if (!decision.allowed) return { kind: 'not_allowed', caller, tag, decision };
  }
  return isWithin ? { ...closure, blobs: new Map() } : closure;
}

/** The image under its tag, and what comes along by digest or under tags of its own. */
function passAll(
  { registry, judgeGates }: PromotionParts,
  { caller, policy, request: { source, target } }: PromotionAsk,
  closure: Closure,
): Promise<GateOutcome> {
  const { repository } = target;
  const registries = { now: registry, then: withCopies(registry, repository, source.repository, closure) };
  const along = [...closure.attachments.values()].map((manifest) => ({ ...manifest, tag: undefined }));
  const lists = closure.lists.map(({ tag, list }) => ({ ...withoutLost(tag, list, closure), tag }));
  const written = [...along, ...lists, { ...closure.root, tag: target.tag }];
  return passGates(judgeGates, registries, { policy, principal: caller.principal, repository }, written);
}

/** The list as it will be written: one may outlive what it names, and name what is not attached. */
function withoutLost(tag: string, list: StoredManifest, { attachments, blobs }: Closure): StoredManifest {
  const content = onlyHeld(tag, list, (digest) => attachments.has(digest) || blobs.has(digest));
  return content === undefined ? list : { ...list, content, digest: digestOf(content) };
}

/** Everything but the tag. Rights may end meanwhile: what comes after the blobs is judged again. */
async function copyAll(
  parts: PromotionParts,
  ask: PromotionAsk,
  closure: Closure,
): Promise<Pick<Counts, 'mounted' | 'bytes' | 'left'> | PromotionOutcome> {
  const { source, target } = ask.request;
  const nothing = { mounted: 0, bytes: 0, left: [] };
  if (source.repository === target.repository) return nothing;
  const { images, attachments, lists, blobs } = closure;
  const copied = await copyBlobs(parts, { from: source.repository, into: target.repository }, blobs.values());
  if ('kind' in copied) return copied;
  const again = standing(parts, ask);
  if ('kind' in again) return again;
  const left = new Set(copied.left);
  const isHeld = (digest: string): boolean => attachments.has(digest) || (blobs.has(digest) && !left.has(digest));
  const write = async (): Promise<Fault | undefined> =>
    (await copyManifests(parts, target.repository, [...images.values(), ...attachments.values()])) ??
    (await copyLists(parts, target.repository, lists, isHeld));
  const written = await parts.around(target.repository, write, isOver);
  if (!written.ok) return { kind: 'marks_unavailable' };
  return written.value ?? copied;
}

/** Whether the registry has done with what was written: one that did not answer may do it yet. */
function isOver(fault: { readonly kind: string; readonly reason?: string } | undefined): boolean {
  return fault?.kind !== 'registry' || fault.reason === 'refused';
}
