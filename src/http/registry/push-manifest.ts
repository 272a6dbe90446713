/** Pushes of manifests: the only requests whose body decides whether they are allowed. */
import { digestOf, hasDigest } from '../../distribution/digest.ts';
import { type Admitted, admitAgain } from '../../gate/admit.ts';
import { everyDeletion, partsOf } from '../../gate/contained.ts';
import { tagTurnMs } from '../../gate/deletion.ts';
import { type PushedManifest, type Writes, isGuardedTag, judgeTagWrite } from '../../gate/tag-writes.ts';
import { clientNetwork, clientSite } from '../../limits/client-network.ts';
import { type Exchange, isAwaited } from '../front/exchange.ts';
import { readManifestBody } from '../front/manifest-body.ts';
import { manifestRefused } from '../front/respond.ts';
import { why } from './audit-facts.ts';
import { type Passed, countRequest } from './counted.ts';
import { passGates } from './gated.ts';
import { type Outcome, passedOn } from './outcome.ts';
import { refusalOf } from './refusals.ts';
import { type ManifestPut, type WriteParts, askedOf, notWritten, tagsOf, turnMissed, writerOf } from './tag-writer.ts';

interface Push {
  readonly exchange: Exchange;
  readonly route: ManifestPut;
  readonly admission: Admitted;
  /** undefined: limits are to count it when tags and their rules are known not to refuse it. */
  readonly counted: Passed | undefined;
}

/** The whole manifest first, then its tags' turn: a slow client never holds up others. */
export async function pushManifest(parts: WriteParts, push: Push): Promise<Outcome> {
  const { exchange } = push;
  const { principal } = push.admission.caller;
  const body = await readManifestBody(exchange, {
    budget: parts.gate.manifestMemory,
    account: 'name' in principal ? `${principal.kind}:${principal.name}` : clientSite(clientNetwork(exchange.address)),
    idleMs: parts.gate.idleMs,
  });
  if (!body.ok) {
    const decision = body.reason === 'no_memory' ? 'error' : 'deny';
    return { answer: manifestRefused(body.reason), record: { decision, reason: `manifest_${body.reason}` } };
  }
  try {
    return await inTurn(parts, push, body.content);
  } finally {
    body.release();
  }
}

/** One push of a tag at a time where somebody's rights depend on what the tag is now. */
async function inTurn(parts: WriteParts, push: Push, content: Buffer): Promise<Outcome> {
  const { exchange, route, admission } = push;
  const { repository, reference } = route;
  const { backend, gate } = parts;
  const tags = tagsOf(route);
  const isGuarding = gate.policies.current().policy.rules.some((rule) => rule.tags !== undefined);
  const write = (): Promise<Outcome> => judgeAndWrite(parts, push, content, isGuarding);
  if (tags.length === 0) return write();
  // The digest as well, and those of an index's parts: whoever deletes one holds it while looking for tags that lead to it.
  const digest = 'digest' in reference ? reference.digest : digestOf(content);
  const made = isGuarding
    ? await partsOf(content, {
        registry: backend.ask,
        known: gate.knownParts,
        repository,
        isWanted: isAwaited(exchange),
      })
    : [];
  const held = [...tags, digest, ...(made ?? everyDeletion)];
  const turn = await gate.tagLocks.withTags(repository, held, tagTurnMs, write);
  if (turn.ok) return turn.value;
  // Whoever may do anything with these tags needs no lock to be judged; those who need one wait for its store.
  const writer = writerOf(gate, exchange, repository, admission.caller);
  if (turn.reason === 'unavailable' && !tags.some((tag) => isGuardedTag(writer, tag))) return write();
  return turnMissed(turn.reason);
}

async function judgeAndWrite(
  parts: WriteParts,
  { exchange, route, admission, counted: before }: Push,
  content: Buffer,
  isGuarding: boolean,
): Promise<Outcome> {
  const { repository, reference } = route;
  const { gate, backend } = parts;
  const asked = askedOf(parts, exchange);
  const again = admitAgain(gate, route, admission.caller, exchange.address);
  if (again.kind !== 'admitted') return refusalOf(again, asked);
  const pushed: PushedManifest = {
    content,
    mediaType: exchange.request.headers['content-type'],
    isSameAs: (digest) => ('digest' in reference ? digest === reference.digest : hasDigest(content, digest)),
  };
  const written = new Set<Writes | undefined>();
  for (const tag of tagsOf(route)) {
    const writer = writerOf(gate, exchange, repository, again.caller);
    const judgement = await judgeTagWrite(backend.ask, writer, tag, pushed);
    if (judgement.kind !== 'allowed') return notWritten(asked, route, again.caller, judgement);
    written.add(judgement.writes);
  }
  const [writes] = written.size === 1 ? written : [];
  const counted = before ?? (await countRequest(gate.limits, exchange, admission));
  if ('refusal' in counted) return counted.refusal;
  // Counted before: looking for an image may cost the registry more than writing it.
  const gated = await passGates(parts, again, route, pushed);
  const { shadow } = why(admission.decision, [...counted.shadow, ...gated.shadow]);
  const record = { ...(writes && { writes }), ...(shadow && { shadow }), ...gated.record };
  if (gated.refusal !== undefined) return { answer: gated.refusal, record };
  const forwarding = await backend.open({ exchange, route, content });
  if (isGuarding && forwarding.status === 201) gate.knownParts.learn(repository, content);
  return { record: { ...record, ...passedOn(forwarding).record } };
}
