/** The `/v2` side: parse, admit, forward. Every path that is not an endpoint of our own comes here or is 404. */
import { type RegistryRoute, formatReference, parseRoute, withoutForeignMount } from '../../distribution/route.ts';
import { challengeAccess, routeAccess } from '../../distribution/access.ts';
import { parseAuthorization } from '../../distribution/credentials.ts';
import { mayHideTags } from '../../gate/tag-list.ts';
import { digestOf, hasDigest } from '../../distribution/digest.ts';
import { deletionOf, everyDeletion, partsOf } from '../../gate/contained.ts';
import type { KnownParts } from '../../gate/known-parts.ts';
import { hasGuardedTags, judgeDeleteByDigest } from '../../gate/delete-by-digest.ts';
import {
  type PushedManifest,
  type TagJudgement,
  type TagWriter,
  isGuardedTag,
  judgeTagWrite,
} from '../../gate/tag-writes.ts';
import {
  type AdmitParts,
  type Admission,
  type Caller,
  admit,
  admitAgain,
  policyOf,
  refusalSentence,
  refused as refusedAdmission,
} from '../../gate/admit.ts';
import { clientNetwork, clientSite } from '../../limits/client-network.ts';
import type { MemoryBudget } from '../../limits/memory-budget.ts';
import type { Limits } from '../../limits/spend.ts';
import type { Decision } from '../../policy/evaluate.ts';
import type { AuditRecord, RegistryFailure, TagLocks } from '../../ports.ts';
import type { ListCursors } from '../../sealed/list-cursor.ts';
import { type Exchange, exchangeFacts } from '../front/exchange.ts';
import type { Front } from '../front/front.ts';
import { countRequest, uncounted } from './counted.ts';
import { guardRegistryBody } from '../front/guard.ts';
import { heldDetail } from '../front/limit-audit.ts';
import { forwarded } from '../backend/forwarding.ts';
import { beganFiltered, forwardList, sendRepositories, sendTags } from './lists.ts';
import { readManifestBody } from '../front/manifest-body.ts';
import {
  challenged,
  loginHeld,
  manifestRefused,
  manifestUnknown,
  passwordMissing,
  refusal,
  send,
  tagHeld,
  tooBusy,
  unusable,
  upstreamFailed,
  wrongCredentials,
} from '../front/respond.ts';
import { forwardUpload, isUpload } from './uploads.ts';
import type { Backend } from '../backend/backend.ts';

export interface GateParts {
  readonly gate: Gate;
  readonly backend: Pick<Backend, 'open' | 'ask'>;
  readonly front: Front;
}

/** What decides on a request and counts it. */
export interface Gate extends AdmitParts {
  readonly knownParts: KnownParts;
  readonly tagLocks: TagLocks;
  readonly limits: Limits;
  readonly cursors: ListCursors;
  /** For the manifests that clients are pushing. */
  readonly manifestMemory: MemoryBudget;
  /** Milliseconds without a byte after which a manifest push is given up. */
  readonly idleMs: number;
}

/** Answers one request below `/v2`. Resolves when the response has ended; writes exactly one audit record. */
export async function handleRegistryRequest(parts: GateParts, exchange: Exchange): Promise<void> {
  const { request, method, target, address } = exchange;
  const parsed = withoutForeignMount(parseRoute(method, target), new URL(exchange.publicUrl).host);
  const problem = 'problem' in parsed ? parsed.problem : undefined;
  // What no client sends by mistake is refused before any work: another parser might read a different route in it.
  if (problem?.reason === 'target_malformed' || problem?.reason === 'method_not_allowed') {
    const { reason } = problem;
    const status = send(exchange, unusable(problem));
    parts.front.audit.record({ ...facts(parts, exchange), event: 'access', decision: 'deny', reason, status });
    return;
  }
  const body = await guardRegistryBody(request);
  if (body !== undefined) {
    const status = send(exchange, body.answer);
    parts.front.audit.record({
      ...facts(parts, exchange),
      event: 'access',
      decision: 'deny',
      reason: body.reason,
      status,
    });
    return;
  }
  const credentials = parseAuthorization(request.headers.authorization);
  const admission = await admit(parts.gate, { parsed, credentials, address });
  const record = await answer(parts, exchange, admission, 'route' in parsed ? parsed.route : undefined);
  const asked = 'route' in parsed ? describe(parsed.route, method) : {};
  parts.front.audit.record({ ...asked, ...facts(parts, exchange), ...record });
}

type Outcome = Pick<AuditRecord, 'event' | 'decision' | 'reason'> & Partial<AuditRecord>;

async function answer(
  parts: GateParts,
  exchange: Exchange,
  admission: Admission,
  route?: RegistryRoute,
): Promise<Outcome> {
  switch (admission.kind) {
    case 'busy': {
      const status = send(exchange, tooBusy(admission.isUpload));
      return { event: 'login', decision: 'error', reason: 'hashing_busy', status };
    }
    case 'held': {
      const { account, waitMs } = admission;
      const status = send(exchange, loginHeld(waitMs));
      return { event: 'limit', decision: 'deny', reason: 'login_held', status, account, detail: heldDetail(admission) };
    }
    case 'challenged': {
      const { reason, access, error, caller, account, decision, detail } = admission;
      const front = { service: parts.front.service, publicUrl: exchange.publicUrl };
      const status = send(exchange, challenged(front, access, error, challengeMessage(reason, detail)));
      const event = account === undefined || reason === 'account_gone' ? 'access' : 'login';
      return { event, decision: 'deny', reason, status, ...who(caller, account), ...why(decision) };
    }
    case 'unusable': {
      const status = send(exchange, unusable(admission.problem));
      return { event: 'access', decision: 'deny', reason: admission.problem.reason, status, ...who(admission.caller) };
    }
    case 'denied': {
      const { caller, need, decision } = admission;
      // Clients that begin a push by asking for a blob go on to a request whose refusal they print.
      const hidden = exchange.method === 'HEAD' && route?.kind === 'blob-get';
      const sentence = refusalSentence(caller, need, decision);
      const status = send(exchange, refusal('DENIED', sentence, hidden ? { status: 404 } : {}));
      return { event: 'access', decision: 'deny', reason: decision.reason, status, ...who(caller), ...why(decision) };
    }
    case 'admitted': {
      const { caller, decision } = admission;
      const counted = isJudgedLate(parts, exchange, admission)
        ? uncounted
        : await countRequest(parts.gate.limits, exchange, admission);
      if ('refusal' in counted) return { ...who(caller), ...counted.refusal };
      const granted = { event: 'access', decision: 'allow', ...who(caller), ...why(decision) } as const;
      const served = await serve(parts, exchange, admission);
      const shadow = [...(why(decision).shadow ?? []), ...counted.shadow];
      return {
        ...granted,
        reason: decision?.reason ?? 'authenticated',
        ...(shadow.length === 0 ? {} : { shadow }),
        ...served,
      };
    }
  }
}

async function serve(
  parts: GateParts,
  exchange: Exchange,
  admission: Extract<Admission, { kind: 'admitted' }>,
): Promise<Partial<AuditRecord>> {
  const { route, caller, policy } = admission;
  if (route.kind === 'ping') return { status: send(exchange, { status: 200, body: '{}' }) };
  if (route.kind === 'catalog') return sendRepositories(parts, exchange, route, caller, policy);
  if (route.kind === 'tags') {
    const circumstances = { address: exchange.address, now: parts.gate.clock() };
    const reader = { policy, principal: caller.principal, repository: route.repository, circumstances };
    if (mayHideTags(reader) || beganFiltered(parts, route, caller)) return sendTags(parts, exchange, route, reader);
  }
  if (route.kind === 'tags' || route.kind === 'referrers') return forwardList(parts, exchange, route, caller);
  if (route.kind === 'manifest-put') return pushManifest(parts, exchange, route, admission);
  if (route.kind === 'manifest-delete' && 'digest' in route.reference) {
    return deleteByDigest(parts, exchange, route, route.reference.digest, caller);
  }
  if (isUpload(route)) return forwardUpload(parts, exchange, route, caller);
  return forwarded(await parts.backend.open({ exchange, route }));
}

/** Milliseconds that a push waits for another push of the same tag. */
const tagTurnMs = 30_000;

const clientGone: Partial<AuditRecord> = { decision: 'error', reason: 'client_gone', status: 499 };

/** Where tags are protected no push may point one at the digest between the look at the tags and the deletion. */
async function deleteByDigest(
  parts: GateParts,
  exchange: Exchange,
  route: RegistryRoute & { readonly kind: 'manifest-delete' },
  digest: string,
  caller: Caller,
): Promise<Partial<AuditRecord>> {
  const { repository } = route;
  const writer = writerOf(parts, exchange, repository, caller);
  const forward = async (): Promise<Partial<AuditRecord>> => forwarded(await parts.backend.open({ exchange, route }));
  if (!hasGuardedTags(writer)) return forward();
  const turn = await parts.gate.tagLocks.withTags(repository, [digest, deletionOf(digest)], tagTurnMs, async () => {
    const again = admitAgain(parts.gate, route, caller, exchange.address);
    if (again.kind !== 'admitted') return answer(parts, exchange, again);
    const isWanted = (): boolean => !exchange.response.destroyed;
    const current = writerOf(parts, exchange, repository, again.caller);
    const judgement = await judgeDeleteByDigest(parts.backend.ask, current, digest, parts.gate.knownParts, isWanted);
    if (!isWanted()) return clientGone;
    if (judgement.kind === 'absent') return unknownManifest(exchange);
    return judgement.kind === 'allowed' ? forward() : notWritten(parts, exchange, route, again.caller, judgement);
  });
  if (turn.ok) return turn.value;
  return { decision: 'error', reason: `tag_${turn.reason}`, status: send(exchange, tagHeld(turn.reason)) };
}

function unknownManifest(exchange: Exchange): Partial<AuditRecord> {
  return { decision: 'deny', reason: 'manifest_unknown', status: send(exchange, manifestUnknown) };
}

/** Judged by the policy of this moment, not of the one before a body came. */
function writerOf(parts: GateParts, exchange: Exchange, repository: string, caller: Caller): TagWriter {
  return {
    policy: policyOf(caller, parts.gate.policies.current()),
    principal: caller.principal,
    repository,
    circumstances: { address: exchange.address, now: parts.gate.clock() },
  };
}

type ManifestPut = RegistryRoute & { readonly kind: 'manifest-put' };

function tagsOf({ reference, tags }: ManifestPut): readonly string[] {
  return 'tag' in reference ? [reference.tag] : tags;
}

/** A push of a tag that policy protects is counted when it is known not to be refused. */
function isJudgedLate(
  parts: GateParts,
  exchange: Exchange,
  { route, caller }: Extract<Admission, { kind: 'admitted' }>,
): boolean {
  if (route.kind !== 'manifest-put') return false;
  const writer = writerOf(parts, exchange, route.repository, caller);
  return tagsOf(route).some((tag) => isGuardedTag(writer, tag));
}

/** The whole manifest first, then its tags' turn: a slow client never holds up others. */
async function pushManifest(
  parts: GateParts,
  exchange: Exchange,
  route: ManifestPut,
  admission: Extract<Admission, { kind: 'admitted' }>,
): Promise<Partial<AuditRecord>> {
  const { principal } = admission.caller;
  const body = await readManifestBody(exchange, {
    budget: parts.gate.manifestMemory,
    account: 'name' in principal ? `${principal.kind}:${principal.name}` : clientSite(clientNetwork(exchange.address)),
    idleMs: parts.gate.idleMs,
  });
  if (!body.ok)
    return {
      decision: body.reason === 'no_memory' ? 'error' : 'deny',
      reason: `manifest_${body.reason}`,
      status: send(exchange, manifestRefused(body.reason)),
    };
  try {
    return await writeManifest(parts, exchange, route, admission, body.content);
  } finally {
    body.release();
  }
}

async function writeManifest(
  parts: GateParts,
  exchange: Exchange,
  route: ManifestPut,
  admission: Extract<Admission, { kind: 'admitted' }>,
  content: Buffer,
): Promise<Partial<AuditRecord>> {
  const { repository, reference } = route;
  const { caller } = admission;
  const isCounted = !isJudgedLate(parts, exchange, admission);
  const tags = tagsOf(route);
  const { backend, gate } = parts;
  const isGuarding = gate.policies.current().policy.rules.some((rule) => rule.tags !== undefined);
  const forward = async (): Promise<Partial<AuditRecord>> => {
    const forwarding = await backend.open({ exchange, route, content });
    if (isGuarding && forwarding.status === 201) gate.knownParts.learn(repository, content);
    return forwarded(forwarding);
  };
  const pushed: PushedManifest = {
    content,
    mediaType: exchange.request.headers['content-type'],
    isSameAs: (digest) => ('digest' in reference ? digest === reference.digest : hasDigest(content, digest)),
  };
  const writer = (who: Caller): TagWriter => writerOf(parts, exchange, repository, who);
  const write = async (): Promise<Partial<AuditRecord>> => {
    const again = admitAgain(parts.gate, route, caller, exchange.address);
    if (again.kind !== 'admitted') return answer(parts, exchange, again);
    for (const tag of tags) {
      const judgement = await judgeTagWrite(parts.backend.ask, writer(again.caller), tag, pushed);
      if (judgement.kind !== 'allowed') return notWritten(parts, exchange, route, again.caller, judgement);
    }
    if (isCounted) return forward();
    const counted = await countRequest(parts.gate.limits, exchange, admission);
    if ('refusal' in counted) return counted.refusal;
    const shadow = [...(why(admission.decision).shadow ?? []), ...counted.shadow];
    return { ...(shadow.length === 0 ? {} : { shadow }), ...(await forward()) };
  };
  if (tags.length === 0) return write();
  // The digest as well, and those of an index's parts: whoever deletes one holds it while looking for tags that lead to it.
  const digest = 'digest' in reference ? reference.digest : digestOf(content);
  const isWanted = (): boolean => !exchange.response.destroyed;
  const made = isGuarding
    ? await partsOf(content, { registry: backend.ask, known: gate.knownParts, repository, isWanted })
    : [];
  const held = [...tags, digest, ...(made ?? everyDeletion)];
  const turn = await parts.gate.tagLocks.withTags(repository, held, tagTurnMs, write);
  if (turn.ok) return turn.value;
  // Whoever may do anything with these tags needs no lock to be judged; those who need one wait for its store.
  if (turn.reason === 'unavailable' && !tags.some((tag) => isGuardedTag(writer(caller), tag))) return write();
  return { decision: 'error', reason: `tag_${turn.reason}`, status: send(exchange, tagHeld(turn.reason)) };
}

async function notWritten(
  parts: GateParts,
  exchange: Exchange,
  route: RegistryRoute,
  caller: Caller,
  judgement: Exclude<TagJudgement, { kind: 'allowed' }>,
): Promise<Partial<AuditRecord>> {
  if (judgement.kind === 'unknown') return notKnown(exchange, judgement.reason);
  const { need, decision } = judgement;
  const refused = await answer(parts, exchange, refusedAdmission(caller, need, decision, challengeAccess(route)));
  return { ...refused, action: need.action };
}

/** Nothing was forwarded, since the registry did not say what the decision hangs on. */
function notKnown(exchange: Exchange, reason: RegistryFailure['reason']): Partial<AuditRecord> {
  return { decision: 'error', reason: `upstream_${reason}`, status: send(exchange, upstreamFailed(reason)) };
}

function challengeMessage(reason: Extract<Admission, { kind: 'challenged' }>['reason'], detail?: string): string {
  switch (reason) {
    case 'credentials_missing':
      return 'authentication required';
    case 'credentials_malformed':
      return 'the Authorization header cannot be read';
    case 'token_invalid':
    case 'account_gone':
      return 'the token is not valid';
    case 'token_revoked':
      return 'the login was ended; log in again';
    case 'token_expired':
      return 'the token has expired';
    case 'anonymous_refused':
      return 'not allowed without logging in';
    case 'scope_insufficient':
      return 'the token does not reach this far';
    case 'account_unknown':
    case 'account_disabled':
    case 'password_wrong':
    case 'password_too_long':
    case 'secret_misplaced':
    case 'secret_unknown':
      return wrongCredentials;
    case 'password_missing':
      return passwordMissing;
    case 'secret_malformed':
      return detail ?? wrongCredentials;
    case 'secret_expired':
      return 'the token has expired; make a new one';
  }
}

function facts(parts: GateParts, exchange: Exchange): Partial<AuditRecord> {
  return exchangeFacts(exchange, parts.front.clock());
}

function who(caller: Caller | undefined, account?: string): Partial<AuditRecord> {
  if (caller === undefined) return account === undefined ? {} : { account };
  const { principal, method } = caller;
  return { account: 'name' in principal ? principal.name : '', kind: principal.kind, method };
}

function why(decision: Decision | undefined): Partial<AuditRecord> {
  if (decision?.rule === undefined) return {};
  const { name, source } = decision.rule;
  const shadow = decision.shadow.map((rule) => rule.name);
  return { rule: name, source: `${source.file}:${source.line}`, ...(shadow.length === 0 ? {} : { shadow }) };
}

/** What was asked, for the log. */
function describe(route: RegistryRoute, method: string): Partial<AuditRecord> {
  return {
    action: routeAccess[route.kind].action,
    ...('repository' in route ? { repository: route.repository } : {}),
    ...('reference' in route ? { reference: formatReference(route.reference) } : {}),
    ...(route.kind.startsWith('upload-') ? { reference: `${method} upload` } : {}),
    ...('digest' in route ? { digest: route.digest } : {}),
  };
}
