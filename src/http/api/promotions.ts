/** `POST /api/v1/promotions`: asking for one, by an account. Those that were done are shown by an operation. */
import { z } from 'zod';
import type { KnownParts } from '../../gate/known-parts.ts';
import { judgeGates } from '../../gate/provenance.ts';
import type { Identity } from '../../identity/identify.ts';
import { UnderWay } from '../../identity/under-way.ts';
import type { Limits } from '../../limits/spend.ts';
import type { AuditRecord, Clock, Promotions, Seen, TagLocks } from '../../ports.ts';
import type { Looker } from '../../operations/viewer.ts';
import type { PromotionParts } from '../../promotion/outcome.ts';
import { promote } from '../../promotion/promote.ts';
import { type PromotionRequest, promotionBody, readPromotionRequest } from '../../promotion/request.ts';
import { AtOnce } from '../../gate/at-once.ts';
import { type Upstreams, readOnlyInWords, remoteName } from '../../distribution/upstreams.ts';
import type { Backend } from '../backend/backend.ts';
import type { Exchange } from '../front/exchange.ts';
import type { Front } from '../front/front.ts';
import { notWrittenDown } from '../front/written-first.ts';
import { who } from '../registry/audit-facts.ts';
import type { WriteGate } from '../registry/tag-writer.ts';
import { readJsonBody } from './body.ts';
import type { ApiReply } from './caller.ts';
import { problem } from './problems.ts';
import { answerOf, recordOf } from './promotion-answers.ts';
import { type IsWritten, type Special, unwritten } from './table.ts';

export interface PromotionApiParts {
  readonly front: Pick<Front, 'service'>;
  readonly gate: PromotionGate;
  readonly backend: Pick<Backend, 'ask' | 'write' | 'around'>;
  readonly promotions: Promotions;
  readonly seen: Seen;
  readonly upstreams: Upstreams;
}

interface PromotionGate extends Pick<WriteGate, 'gates'> {
  readonly identity: Pick<Identity, 'identify' | 'again'>;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly tagLocks: TagLocks;
  readonly knownParts: KnownParts;
}

/** Blobs that pass through this process at once into one registry. */
const streams = 4;
/** Promotions at once: each holds the manifests of an image. */
const maxAtOnce = 24;
const maxOfAccount = 6;

/** A promotion that began goes on to its end, whether or not its client waits for it. */
export function createPromotionApi(own: PromotionApiParts): Special {
  const { front, gate, backend, promotions, seen, upstreams } = own;
  const { identity, clock, limits, tagLocks, knownParts, gates } = gate;
  const parts: PromotionParts = {
    registry: backend.ask,
    writer: backend.write,
    around: (repository, task, isOver) => backend.around(repository, task, isOver),
    judgeGates: (registry, standing, written) => judgeGates({ registry, ...gates }, standing, written),
    judgeGatesAgain: (registry, standing, written) =>
      judgeGates({ registry, ...gates, count: () => {} }, standing, written),
    streamsInto: turnsOf(upstreams),
    ...{ identity, clock, limits, tagLocks, knownParts },
  };
  const underWay = new UnderWay();
  const post = async ({ caller, policy }: Looker, exchange: Exchange, isWritten: IsWritten): Promise<ApiReply> => {
    if (exchange.target.includes('?')) return refused('a promotion has no parameters; send JSON');
    const body = await readJsonBody(exchange);
    if (!body.ok) return { answer: body.answer, record: { decision: 'deny', reason: 'body_refused' } };
    const read = readPromotionRequest(body.value, upstreams.canonical);
    if (!read.ok) return refused(read.problem);
    const { request } = read;
    const { repository } = request.target;
    const misplaced = misplacedBy(upstreams, repository);
    if (misplaced !== undefined) return misplaced;
    if (!(await isWritten(request.target)))
      return { answer: unwritten, record: { decision: 'error', reason: notWrittenDown.reason } };
    const account = String(who(caller).account);
    if (underWay.all >= maxAtOnce || underWay.of(account) >= maxOfAccount)
      return { answer: tooManyAtOnce, record: busy(request) };
    underWay.enter(account);
    try {
      const outcome = await promote(parts, { request, caller, policy, address: exchange.address });
      if (outcome.kind === 'promoted') {
        const { digest, target, account: by } = outcome.promotion;
        seen.written(target.repository, { tags: [target.reference], digest, by });
      }
      if (outcome.kind === 'promoted' || outcome.kind === 'repeated') await promotions.record(outcome.promotion);
      const asked = { service: front.service, publicUrl: exchange.publicUrl };
      return { answer: answerOf(outcome, request, caller, asked), record: recordOf(outcome, request) };
    } finally {
      underWay.leave(account);
    }
  };
  return {
    method: 'POST',
    path: '/promotions',
    summary: 'Promotes an image. By a Bearer token: pull of the source and promote of the target in its access.',
    needs: 'account',
    input: promotionBody,
    answer: promoted,
    event: 'promotion',
    async handle(exchange, looker, isWritten) {
      const { answer, record } = await post(looker, exchange, isWritten);
      const upstream = record.repository === undefined ? undefined : upstreams.of(record.repository)?.name;
      return { answer, record: { reason: 'promoted', ...who(looker.caller), ...record, upstream } };
    },
  };
}

const promoted = z.object({
  id: z.string().optional(),
  dryRun: z.literal(true).optional(),
  digest: z.string(),
  source: z.string(),
  target: z.string(),
  manifests: z.int(),
  blobs: z.int(),
  mounted: z.int(),
  bytes: z.int(),
  durationMs: z.number(),
  left: z.array(z.unknown()).optional().describe('what was attached and did not come along, and why'),
});

/** One registry that hangs keeps up nothing that goes into another. */
function turnsOf({ of }: Upstreams): PromotionParts['streamsInto'] {
  const turns = new Map<unknown, AtOnce>();
  return (repository) => {
    const upstream = of(repository);
    const own = turns.get(upstream) ?? new AtOnce(streams);
    turns.set(upstream, own);
    return own;
  };
}

const tooManyAtOnce = problem('busy', 'too many promotions are under way; try again', {
  headers: { 'Retry-After': '5' },
});

function busy(request: PromotionRequest): Partial<AuditRecord> {
  const { repository, tag } = request.target;
  return { decision: 'error', reason: 'promotions_too_many', repository, reference: tag };
}

/** undefined where the registry behind takes what is written to the target. */
function misplacedBy(upstreams: Upstreams, repository: string): ApiReply | undefined {
  const upstream = upstreams.of(repository);
  const record = { decision: 'deny', repository, action: 'promote' } as const;
  if (upstream === undefined || remoteName(upstream, repository) === undefined)
    return {
      answer: problem('target-unknown', `target: no registry has ${repository}`),
      record: { ...record, reason: 'upstream_unknown' },
    };
  if (upstream.access === 'read-write') return undefined;
  const detail = `target: ${readOnlyInWords(upstream)}`;
  return { answer: problem('not-allowed', detail), record: { ...record, reason: 'upstream_read_only' } };
}

function refused(detail: string): ApiReply {
  return {
    answer: problem('request-invalid', detail),
    record: { decision: 'deny', reason: 'request_malformed', detail },
  };
}
