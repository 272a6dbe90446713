/** What became of a promotion, for whoever asked and for the log. */
import { refusalSentence } from '../../gate/admit.ts';
import type { GateVerdict } from '../../gate/provenance.ts';
import type { Caller } from '../../identity/identify.ts';
import { limitRule, shadowLimits } from '../front/limit-audit.ts';
import { limitHeaders } from '../front/limit-headers.ts';
import { type Answer, limitReached, tagHeld, writeHeld } from '../front/respond.ts';
import type { AuditRecord } from '../../ports.ts';
import type { PromotionOutcome } from '../../promotion/outcome.ts';
import type { PromotionRequest } from '../../promotion/request.ts';
import { nameOf } from '../../promotion/visible.ts';
import { why } from '../registry/audit-facts.ts';
import { problemOf } from './caller.ts';
import { asProblem, document, problem } from './problems.ts';

/** Statuses and words, as docs/promotion.md lists them. */
export function answerOf(
  outcome: PromotionOutcome,
  request: PromotionRequest,
  caller: Caller,
  asked: { readonly service: string; readonly publicUrl: string },
): Answer {
  const { repository, tag } = request.target;
  switch (outcome.kind) {
    case 'promoted':
    case 'repeated':
    case 'planned':
      return doneAnswer(outcome);
    case 'source_unknown':
      return problem('source-unknown', `there is no ${nameOf(request.source)} that you may pull`);
    case 'scope_insufficient': {
      const { access } = outcome;
      const refused = {
        kind: 'challenged',
        reason: 'scope_insufficient',
        error: 'insufficient_scope',
        access,
        caller,
      } as const;
      return problemOf(refused, asked).answer;
    }
    case 'login_ended': {
      const refused = { kind: 'challenged', error: 'invalid_token', access: [], ...outcome.refusal } as const;
      return problemOf(refused, asked).answer;
    }
    case 'not_allowed': {
      const need = { action: 'promote', repository, tag: outcome.tag } as const;
      return problem('not-allowed', refusalSentence(outcome.caller, need, outcome.decision));
    }
    case 'tag_taken': {
      const detail = `${repository}:${tag} is another image already, and may not be overwritten; promote to another tag`;
      return problem('tag-taken', detail);
    }
    case 'gate_failed':
      return gateFailed(outcome.failed, `${repository}:${tag}`);
    case 'not_promotable':
      return problem('not-promotable', `${nameOf(request.source)} cannot be promoted: ${outcome.detail}`);
    case 'limit_reached':
      return asProblem(limitReached(caller.principal, outcome.states));
    case 'tag_busy':
      return asProblem(tagHeld('busy'));
    case 'locks_unavailable':
      return asProblem(tagHeld('unavailable'));
    case 'marks_unavailable':
      return asProblem(writeHeld);
    case 'registry':
      return registryFailed(outcome);
  }
}

function doneAnswer(outcome: Extract<PromotionOutcome, { kind: 'promoted' | 'repeated' | 'planned' }>): Answer {
  const { kind, promotion, left, states } = outcome;
  const { id, digest, source, target, manifests, blobs, mounted, bytes, durationMs } = promotion;
  const counted = { manifests, blobs, mounted, bytes, durationMs };
  const names = { digest, source: nameOf(source), target: nameOf(target) };
  const headers = limitHeaders(states);
  if (kind === 'planned') return document(200, { dryRun: true, ...names, ...counted }, headers);
  const notes = left.length === 0 ? {} : { left };
  return document(201, { id, ...names, ...counted, ...notes }, { ...headers, Location: `/api/v1/promotions/${id}` });
}

/** A gate tells whoever pushes to promote instead. */
const adviceToPushers = /;[^;]*\buse promote$/;

function gateFailed(failed: readonly GateVerdict[], target: string): Answer {
  const gates = failed.flatMap((verdict) =>
    verdict.kind === 'refused'
      ? [{ gate: verdict.standing.gate.name, from: verdict.from, detail: verdict.why.replace(adviceToPushers, '') }]
      : [],
  );
  const words = [...new Set(gates.map(({ gate, detail }) => `${detail} (gate ${gate})`))].join('; ');
  return problem('gate-failed', `${target}: ${words}`, { more: { gates } });
}

function registryFailed({ reason, gate }: Extract<PromotionOutcome, { kind: 'registry' }>): Answer {
  const headers = { 'Retry-After': reason === 'limited' ? '60' : '5' };
  if (gate !== undefined) {
    const detail = 'the registry could not say whether a gate lets this pass; try again';
    return problem('registry', detail, { status: 503, headers });
  }
  const details = {
    unreachable: 'the registry behind the gateway cannot be reached; the tag was not set; try again',
    timeout: 'the registry behind the gateway did not answer in time; try again',
    limited: 'the registry behind the gateway limits requests; try again later',
    login_failed: 'the registry behind the gateway refuses the login that the gateway has for it',
    broken: 'the registry behind the gateway gave an unusable answer; try again',
    refused: 'the registry behind the gateway did not take what was to be copied',
  };
  return problem('registry', details[reason], {
    status: reason === 'timeout' || reason === 'limited' ? 503 : 502,
    headers,
  });
}

/** Refused and failed ones, too. */
export function recordOf(outcome: PromotionOutcome, request: PromotionRequest): Partial<AuditRecord> {
  const { digest, gate, shadow = [] } = outcome;
  const { repository, tag } = request.target;
  const isDone = outcome.kind === 'promoted' || outcome.kind === 'repeated' || outcome.kind === 'planned';
  const further = isDone ? [...shadowLimits(outcome.states), ...shadow] : shadow;
  const said = request.reason;
  const wrong = 'detail' in outcome ? outcome.detail : undefined;
  return {
    action: 'promote',
    repository,
    reference: tag,
    from: nameOf(request.source),
    digest,
    ...why('decision' in outcome ? outcome.decision : undefined, further),
    ...(gate === undefined ? {} : { gate: gate.standing.gate.name, gateFrom: gate.from }),
    ...(isDone ? { bytes: outcome.promotion.bytes, writes: outcome.writes } : {}),
    // One of what is attached, and not the tag that was asked for.
    ...('tag' in outcome && outcome.tag !== tag ? { tags: [outcome.tag] } : {}),
    detail: wrong === undefined || said === undefined ? (wrong ?? said) : `${wrong} (${said})`,
    ...verdictOf(outcome),
  };
}

function verdictOf(outcome: PromotionOutcome): Partial<AuditRecord> {
  const deny = (reason: string): Partial<AuditRecord> => ({ decision: 'deny', reason });
  const failed = (reason: string): Partial<AuditRecord> => ({ decision: 'error', reason });
  switch (outcome.kind) {
    case 'promoted':
    case 'repeated':
    case 'planned':
      return { decision: 'allow', reason: outcome.kind };
    case 'limit_reached':
      return { ...deny('limit_reached'), ...limitRule(outcome.states) };
    case 'login_ended':
      return deny(outcome.refusal.reason);
    case 'not_allowed':
      return deny(outcome.decision.reason);
    case 'source_unknown':
    case 'scope_insufficient':
    case 'tag_taken':
    case 'not_promotable':
      return deny(outcome.kind);
    case 'gate_failed':
      return deny('gate_refused');
    case 'tag_busy':
    case 'locks_unavailable':
    case 'marks_unavailable':
      return failed(outcome.kind);
    case 'registry':
      return failed(outcome.gate === undefined ? `upstream_${outcome.reason}` : 'gate_unknown');
  }
}
