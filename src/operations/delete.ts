/**
 * Deleting a tag. A registry that can takes away the tag alone; one that cannot deletes the image, and with it every tag of
 * the same digest, which happens only after exactly that list was confirmed.
 */
import { z } from 'zod';
import { type Digest, type RepositoryName, type Tag, parseDigest, parseTag } from '../distribution/reference.ts';
import { readOnlyInWords } from '../distribution/upstreams.ts';
import { type Refused, admitAgain, refusalSentence, sentenceOf } from '../gate/admit.ts';
import { type DeletionParts, deleteByDigest, routeOf } from '../gate/deletion.ts';
import type { OneEach } from './one-each.ts';
import { who, why } from '../gate/who-and-why.ts';
import type { AuditLog, AuditRecord, Deleted, RegistryWriter, Seen, Unavailable } from '../ports.ts';
import { type BrowseParts, mayDelete, noImage, noRepository, visibleRepository } from './browse.ts';
import { type Going, type Looked, askedWithin, goingWith } from './going.ts';
import { type IsWanted, type Outcome, type Refusal, always, operation } from './operation.ts';
import { type Looker, type Viewer, askedBy, decide, maySee } from './viewer.ts';

export interface DeleteParts extends BrowseParts {
  readonly deleting: {
    readonly gate: DeletionParts;
    /** Asked for what decides, never from memory. */
    readonly registry: Looked;
    readonly writer: Pick<RegistryWriter, 'deleteManifest'>;
    readonly around: <T>(
      repository: string,
      task: () => Promise<T>,
      isOver: (value: T) => boolean,
    ) => Promise<{ readonly ok: true; readonly value: T } | Unavailable>;
    readonly seen: Pick<Seen, 'deleted'>;
    readonly audit: AuditLog;
    /** By account: each looks through thousands of tags. */
    readonly looks: OneEach;
  };
}

const named = { repository: z.string().describe('its name'), tag: z.string().max(128).describe('the tag') };

const going = z.object({
  repository: z.string(),
  tag: z.string(),
  digest: z.string(),
  /** All that go where the registry cannot take away one alone. */
  tags: z.array(z.object({ tag: z.string(), may: z.boolean() })),
  indexes: z.array(z.string()),
  others: z.boolean(),
  /** To be sent back with the deletion. */
  list: z.string(),
});

export type GoingAnswer = z.output<typeof going>;

interface Named {
  readonly looker: Looker;
  readonly repository: RepositoryName;
  readonly tag: Tag;
}

/** `GET /api/v1/delete`. */
export const showDeletion = operation<DeleteParts>()({
  method: 'GET',
  path: '/delete',
  summary: 'What deleting a tag would take with it',
  needs: 'account',
  input: z.object(named),
  answer: going,
  async run(parts, viewer, asked, isWanted = always) {
    const read = readNamed(parts, viewer, asked);
    if ('ok' in read) return read;
    const { repository, tag } = read;
    const look = await oneOf(parts, read, () => lookAt(parts, read, isWanted));
    if ('ok' in look) return look;
    const { digest, ...rest } = look;
    return { ok: true, answer: { repository, tag, digest, ...listOf(rest) } };
  },
});

function listOf({ tags, indexes, others, list }: Going) {
  return { tags: [...tags], indexes: [...indexes], others, list };
}

const done = z.object({
  repository: z.string(),
  /** What went: the tag alone, or all tags of its digest. */
  by: z.enum(['tag', 'digest']),
  deleted: z.array(z.string()),
});

/** `POST /api/v1/delete`. */
export const deleteTag = operation<DeleteParts>()({
  method: 'POST',
  path: '/delete',
  summary: 'Deletes a tag, or its image where the registry cannot delete tags',
  needs: 'account',
  input: z.object({
    ...named,
    confirm: z.string().max(256).describe('the tag once more, as its name was typed'),
    digest: z.string().max(256).describe('what the tag named when the list was shown'),
    list: z.string().max(64).optional().describe('of GET /delete: that all of it may go'),
  }),
  answer: done,
  async run(parts, viewer, { confirm, digest: shown, list, ...asked }, isWanted = always): Promise<Done> {
    const read = readNamed(parts, viewer, asked);
    if ('ok' in read) return read;
    const { looker, repository, tag } = read;
    if (confirm !== tag) return { ok: false, reason: 'invalid', detail: `Type the tag's name, ${tag}, to delete it.` };
    const { gate, registry } = parts.deleting;
    const admission = admitAgain(gate, routeOf({ repository }, { tag }), looker.caller, looker.circumstances.address);
    if (admission.kind !== 'admitted') return refusedBy(parts, read, admission);
    const current = await registry.resolveTag(repository, tag);
    if (!current.ok) return away;
    if (current.digest === undefined) return noImage(repository, tag);
    const digest = parseDigest(current.digest);
    if (digest === undefined || digest !== shown) return moved(tag);
    const alone = await runDeletion(parts, repository, tag);
    if (alone.ok) {
      note(parts, read, { tag });
      return { ok: true, answer: { repository, by: 'tag', deleted: [tag] } };
    }
    if (alone.reason === 'unsupported')
      return oneOf(parts, read, () => deleteAll(parts, read, { digest, list }, isWanted));
    return failed(parts, read, alone);
  },
});

/** What a viewer may look at deleting at all. */
function readNamed(
  parts: DeleteParts,
  viewer: Viewer,
  asked: { readonly repository: string; readonly tag: string },
): Named | Refusal {
  const repository = visibleRepository(parts, viewer, asked.repository);
  if (repository === undefined) return noRepository(asked.repository);
  const tag = parseTag(asked.tag);
  if (tag === undefined || !maySee(viewer, repository, tag)) return noImage(repository, asked.tag);
  if (viewer.kind === 'operator') return byAccountsOnly;
  const upstream = parts.upstreams.of(repository);
  if (upstream?.access === 'read') return { ok: false, reason: 'forbidden', detail: `${readOnlyInWords(upstream)}.` };
  if (mayDelete(parts, viewer, repository, tag)) return { looker: viewer, repository, tag };
  const decision = decide(viewer, 'delete', repository, tag);
  const need = { action: 'delete', repository, tag } as const;
  const detail = decision.allowed
    ? sentenceOf(viewer.caller, need, 'its token does not reach this far')
    : refusalSentence(viewer.caller, need, decision);
  return { ok: false, reason: 'forbidden', detail };
}

const byAccountsOnly: Refusal = {
  ok: false,
  reason: 'forbidden',
  detail:
    'The admin token deletes nothing: rules decide on deletions, and it is nobody that rules speak of. Log in as an account.',
};

const away: Refusal = {
  ok: false,
  reason: 'unavailable',
  detail: 'The registry did not say what every tag is, so that nothing was deleted; try again.',
};

function moved(tag: string): Refusal {
  const detail = `${tag} names another image than when you looked, so that nothing was deleted; look again.`;
  return { ok: false, reason: 'conflict', detail };
}

/** Milliseconds for each answer while somebody waits for the page: a registry that is away is said to be. */
const firstMs = 2000;
/** The same for another look of the same account, which may be about to end since its page was left. */
const busyMs = 1000;

/** Somebody who looks again while they look waits a moment for it, and then is told. */
async function oneOf<T>(
  { deleting: { looks } }: DeleteParts,
  { looker }: Named,
  task: () => Promise<T>,
): Promise<T | Refusal> {
  const ran = await looks.run(who(looker.caller).account ?? '', busyMs, task);
  return ran === 'busy' ? looking : ran;
}

const looking: Refusal = {
  ok: false,
  reason: 'unavailable',
  type: 'busy',
  detail:
    'Your account is looking through the tags of a repository for another deletion, which takes up to 20 seconds; try again then.',
};

async function lookAt(
  { deleting: { registry, gate } }: DeleteParts,
  { looker, repository, tag }: Named,
  isWanted: IsWanted,
): Promise<(Going & { readonly digest: Digest }) | Refusal> {
  const impatient = askedWithin(registry, firstMs);
  const current = await impatient.resolveTag(repository, tag);
  if (!current.ok) return away;
  const digest = current.digest === undefined ? undefined : parseDigest(current.digest);
  if (digest === undefined) return noImage(repository, tag);
  const asked = { registry: impatient, knownParts: gate.knownParts };
  const found = await goingWith(asked, looker, repository, digest, isWanted);
  return found === undefined ? away : { ...found, digest };
}

type Done = Outcome<z.output<typeof done>>;

/** Milliseconds from the first look to the deletion, a wait for other writes of the image among them. */
const deleteMs = 60_000;

/** Where the registry knows no deletion of one tag. Nothing is deleted for somebody who has gone. */
async function deleteAll(
  parts: DeleteParts,
  read: Named,
  { digest, list }: { readonly digest: Digest; readonly list: string | undefined },
  isAwaited: IsWanted,
): Promise<Done> {
  const { looker, repository, tag } = read;
  const { gate, registry } = parts.deleting;
  const until = performance.now() + deleteMs;
  const isWanted = (): boolean => performance.now() < until && isAwaited();
  const look = (): Promise<Going | undefined> =>
    goingWith({ registry, knownParts: gate.knownParts }, looker, repository, digest, isWanted);
  const found = await look();
  if (found === undefined) return away;
  if (found.indexes.length > 0) return refusedAsPart(parts, read, found);
  if (found.list !== list) return changed(found);
  const address = looker.circumstances.address;
  const deletion = { repository, caller: looker.caller, address, isWanted };
  const outcome = await deleteByDigest(gate, registry, deletion, digest, async (): Promise<Done> => {
    const now = await look();
    if (now?.list !== list) return now === undefined ? away : changed(now);
    const ran = await runDeletion(parts, repository, digest);
    if (!ran.ok) return failed(parts, read, ran);
    note(parts, read, { digest });
    return { ok: true, answer: { repository, by: 'digest', deleted: now.tags.map((each) => each.tag) } };
  });
  switch (outcome.kind) {
    case 'done':
      return outcome.value;
    case 'refused':
      return refusedBy(parts, read, outcome.refused, found);
    case 'absent':
      return noImage(repository, tag);
    case 'missed':
      return { ok: false, reason: 'unavailable', detail: 'Another push or deletion has not ended yet; try again.' };
    case 'unknown':
    case 'unwanted':
      return away;
  }
}

function changed({ tags }: Going): Refusal {
  const detail = `This registry cannot delete one tag alone. With the image go ${inWords(tags)}: look at the list and confirm it.`;
  return { ok: false, reason: 'conflict', detail };
}

function inWords(tags: Going['tags']): string {
  const shown = tags.slice(0, 20).map(({ tag, may }) => (may ? tag : `${tag} (which you may not delete)`));
  return `${shown.join(', ')}${tags.length > 20 ? ` and ${tags.length - 20} more` : ''}`;
}

type Failed = Extract<Deleted, { ok: false }> | Unavailable;

/** Nobody goes on to answer with what was there before. */
async function runDeletion(
  { deleting: { around, writer } }: DeleteParts,
  repository: string,
  reference: string,
): Promise<Deleted | Unavailable> {
  const isOver = (value: Deleted): boolean => value.ok || !['timeout', 'broken'].includes(value.reason);
  const ran = await around(repository, () => writer.deleteManifest(repository, reference), isOver);
  return ran.ok ? ran.value : ran;
}

function failed(parts: DeleteParts, read: Named, failure: Failed): Refusal {
  const { repository, tag } = read;
  if (failure.reason === 'unavailable')
    return {
      ok: false,
      reason: 'unavailable',
      detail: 'The store by which other gateways learn of this cannot be reached; try again.',
    };
  if (failure.reason === 'unknown') return noImage(repository, tag);
  const said = 'detail' in failure ? ` (${failure.detail})` : '';
  const isDisabled = failure.reason === 'unsupported';
  record(parts, read, { decision: 'error', reason: `upstream_${failure.reason}`, reference: tag });
  return {
    ok: false,
    reason: isDisabled || failure.reason === 'refused' ? 'conflict' : 'unavailable',
    detail: isDisabled
      ? `The registry deletes nothing${said}: its operator has to enable deletion.`
      : `The registry did not delete it${said}.`,
  };
}

/** The words of `/v2`, and the list that they are about. */
function refusedBy(parts: DeleteParts, read: Named, refused: Refused, found?: Going): Refusal {
  const { looker, repository, tag } = read;
  if (refused.kind === 'denied') {
    const { need, decision, caller } = refused;
    // Of a tag that may not be seen only that there is one.
    const isHidden = need.tag !== undefined && !maySee(looker, repository, need.tag);
    const sentence = refusalSentence(caller, isHidden ? { ...need, tag: undefined } : need, decision);
    const rest =
      found === undefined
        ? ''
        : `. This registry cannot delete one tag alone; with the image would go ${inWords(found.tags)}`;
    record(parts, read, { decision: 'deny', reason: decision.reason, reference: need.tag ?? tag, ...why(decision) });
    return { ok: false, reason: 'forbidden', detail: `${sentence}${rest}.` };
  }
  const reason = 'reason' in refused ? refused.reason : refused.kind;
  record(parts, read, { decision: 'deny', reason, reference: tag });
  const isNarrow = reason === 'scope_insufficient';
  const detail = isNarrow ? 'The token does not reach this far.' : 'The login has ended; log in again.';
  return { ok: false, reason: 'forbidden', detail };
}

function refusedAsPart(parts: DeleteParts, read: Named, { indexes }: Going): Refusal {
  const { tag } = read;
  record(parts, read, { decision: 'deny', reason: 'part_of_index', reference: tag });
  const shown = indexes.slice(0, 10).join(', ');
  const detail = `This registry cannot delete one tag alone, and the image of ${tag} is part of ${shown}: delete that first.`;
  return { ok: false, reason: 'conflict', detail };
}

function note(parts: DeleteParts, read: Named, gone: { readonly tag: Tag } | { readonly digest: Digest }): void {
  const { looker, repository } = read;
  parts.deleting.seen.deleted(repository, gone);
  const decision = decide(looker, 'delete', repository, read.tag);
  const reference = 'tag' in gone ? gone.tag : gone.digest;
  record(parts, read, { decision: 'allow', reason: decision.reason, reference, status: 202, ...why(decision) });
}

function record(
  { deleting: { audit }, upstreams }: DeleteParts,
  { looker, repository }: Named,
  facts: Pick<AuditRecord, 'decision' | 'reason'> & Partial<AuditRecord>,
): void {
  audit.record({
    event: 'access',
    route: 'manifest',
    ...facts,
    ...who(looker.caller),
    repository,
    upstream: upstreams.of(repository)?.name,
    action: 'delete',
    ...askedBy(looker),
  });
}
