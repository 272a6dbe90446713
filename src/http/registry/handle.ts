/**
 * The `/v2` side, in order: parse, guard, admit, count, serve, send, record. Every path that is not an endpoint of our own
 * comes here or is 404.
 */
import { routeAccess } from '../../distribution/access.ts';
import { parseAuthorization } from '../../distribution/credentials.ts';
import { type RegistryRoute, parseRoute, withCanonicalNames, withoutForeignMount } from '../../distribution/route.ts';
import type { Upstreams } from '../../distribution/upstreams.ts';
import { type Admitted, admit } from '../../gate/admit.ts';
import { mayHideTags } from '../../gate/tag-list.ts';
import type { Registry, Seen } from '../../ports.ts';
import type { ListCursors } from '../../sealed/list-cursor.ts';
import { type Exchange, durationMs } from '../front/exchange.ts';
import type { Front } from '../front/front.ts';
import { guardRegistryBody } from '../front/guard.ts';
import { parsedUrl } from '../front/request-host.ts';
import { send, unusable } from '../front/respond.ts';
import { isWrittenFirst, notWrittenAnswer, notWrittenDown } from '../front/written-first.ts';
import { type Draft, draftOf, what, who, why } from './audit-facts.ts';
import { type Passed, countRequest, uncounted } from './counted.ts';
import { deleteByDigest } from './delete-by-digest.ts';
import { beganFiltered, forwardList, showRepositories, showTags } from './lists.ts';
import { type Outcome, answered, denied, passedOn } from './outcome.ts';
import { pushManifest } from './push-manifest.ts';
import { isRenamed, misplacedBy, placeOf } from './placed.ts';
import { refusalOf } from './refusals.ts';
import { type WriteGate, type WriteParts, isJudgedLate } from './tag-writer.ts';
import { noteSeen } from './seen.ts';
import { forwardUpload, isUpload } from './uploads.ts';

/** What decides on a request and counts it. */
export interface Gate extends WriteGate {
  readonly cursors: ListCursors;
}

export interface RegistryParts extends WriteParts {
  readonly gate: Gate;
  /** Who has what behind the gateway. */
  readonly upstreams: Upstreams;
  readonly front: Front;
  readonly seen: Seen;
  /** Asked for pages of all repositories. */
  readonly catalog: Pick<Registry, 'repositories'>;
}

/** Answers one request below `/v2`. Resolves when the response has ended; writes exactly one audit record. */
export async function handleRegistryRequest(parts: RegistryParts, exchange: Exchange): Promise<void> {
  // Whatever type a blob says to have, no browser runs it: it would have the power of the page on this host.
  exchange.response.setHeader('Content-Security-Policy', 'sandbox');
  const draft = draftOf(exchange);
  const { answer, record } = await outcomeOf(parts, exchange, draft);
  Object.assign(draft, record);
  if (answer !== undefined) draft.status = send(exchange, answer);
  draft.durationMs = durationMs(exchange, parts.front.clock());
  parts.front.audit.record(draft);
}

async function outcomeOf(parts: RegistryParts, exchange: Exchange, draft: Draft): Promise<Outcome> {
  const { request, method, target, address, publicUrl } = exchange;
  const read = withoutForeignMount(parseRoute(method, target), parsedUrl(publicUrl).host);
  const parsed = withCanonicalNames(read, parts.upstreams);
  const problem = 'problem' in parsed ? parsed.problem : undefined;
  // What no client sends by mistake is refused before any work: another parser might read a different route in it.
  if (problem?.reason === 'target_malformed' || problem?.reason === 'method_not_allowed')
    return denied(unusable(problem), problem.reason);
  const body = await guardRegistryBody(request);
  if (body !== undefined) return denied(body.answer, body.reason);
  const credentials = parseAuthorization(request.headers.authorization);
  const admission = await admit(parts.gate, { parsed, credentials, address });
  const route = 'route' in parsed ? parsed.route : undefined;
  const isLookingForBlob = method === 'HEAD' && route?.kind === 'blob-get';
  Object.assign(draft, what(route, method));
  if (admission.kind === 'admitted') draft.policy = admission.policy.policy.revision;
  const placed = placeOf(route, parts.upstreams);
  draft.upstream = placed?.name;
  const misplaced = admission.kind === 'admitted' ? misplacedBy(admission, placed) : undefined;
  if (misplaced !== undefined) return misplaced;
  if (admission.kind === 'admitted') return count(parts, exchange, admission, draft);
  return refusalOf(admission, { service: parts.front.service, publicUrl, isLookingForBlob });
}

async function count(parts: RegistryParts, exchange: Exchange, admission: Admitted, draft: Draft): Promise<Outcome> {
  const { caller, decision, route } = admission;
  const isCounted = !isJudgedLate(parts.gate, exchange, admission);
  const counted = isCounted ? await countRequest(parts.gate.limits, exchange, admission) : uncounted;
  Object.assign(draft, who(caller));
  if ('refusal' in counted) return counted.refusal;
  draft.reason = decision?.reason ?? 'authenticated';
  Object.assign(draft, why(decision, counted.shadow));
  if (isWrite(route.kind, exchange.method) && !(await isWrittenFirst(parts.front.audit, draft)))
    return { answer: notWrittenAnswer, record: { decision: 'error', reason: notWrittenDown.reason } };
  const outcome = await serve(parts, exchange, admission, isCounted ? counted : undefined);
  noteSeen(parts.seen, exchange, admission, outcome.record);
  return outcome;
}

/** What changes something in the registry. */
function isWrite(kind: RegistryRoute['kind'], method: string): boolean {
  return routeAccess[kind].action !== 'pull' && !['GET', 'HEAD'].includes(method);
}

async function serve(
  parts: RegistryParts,
  exchange: Exchange,
  admission: Admitted,
  counted: Passed | undefined,
): Promise<Outcome> {
  const { route, caller, policy } = admission;
  if (route.kind === 'ping') return answered({ status: 200, body: '{}' });
  if (route.kind === 'catalog') return showRepositories(parts, exchange, route, caller, policy);
  if (route.kind === 'tags') {
    const circumstances = { address: exchange.address, now: parts.gate.clock() };
    const reader = { policy, principal: caller.principal, repository: route.repository, circumstances };
    if (isRenamed(route, parts.upstreams) || mayHideTags(reader) || beganFiltered(parts, route, caller))
      return showTags(parts, exchange, route, reader);
  }
  if (route.kind === 'tags' || route.kind === 'referrers') return forwardList(parts, exchange, route, caller);
  if (route.kind === 'manifest-put') return pushManifest(parts, { exchange, route, admission, counted });
  if (route.kind === 'manifest-delete' && 'digest' in route.reference) {
    return deleteByDigest(parts, exchange, route, route.reference.digest, caller);
  }
  if (isUpload(route)) return forwardUpload(parts, exchange, route, caller);
  return passedOn(await parts.backend.open({ exchange, route }));
}
