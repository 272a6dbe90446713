/** Which promotions somebody may know of, and how much of each. */
import type { Caller } from '../identity/identify.ts';
import type { PromotedName, Promotion } from '../ports.ts';
import { parseRepositoryName } from '../distribution/reference.ts';
import { type EpochMs, parseSince } from '../time.ts';
import { type Promoter, mayPull, reachesFor } from './rights.ts';

/** `integration/app:1.2.3` or `integration/app@sha256:…`. */
export function nameOf({ repository, reference }: PromotedName): string {
  return `${repository}${reference.includes(':') ? '@' : ':'}${reference}`;
}

export interface Viewer extends Promoter {
  readonly caller: Pick<Caller, 'bound'>;
}

export interface Visible {
  /** Absent where it may not be pulled. */
  readonly source: PromotedName | undefined;
  readonly target: PromotedName | undefined;
  /** Both sides are visible: then also who asked, and why. */
  readonly isWhole: boolean;
  readonly repositories: readonly string[];
}

/** undefined for who may pull neither side. */
export function showPromotion(viewer: Viewer, promotion: Promotion): Visible | undefined {
  const isVisible = (name: PromotedName): boolean =>
    mayPull(viewer, name).allowed && reachesFor(viewer.caller, name.repository, 'pull');
  const source = isVisible(promotion.source) ? promotion.source : undefined;
  const target = isVisible(promotion.target) ? promotion.target : undefined;
  if (source === undefined && target === undefined) return undefined;
  const isWhole = source !== undefined && target !== undefined;
  const repositories = [source, target].flatMap((name) => (name === undefined ? [] : [name.repository]));
  return { source, target, isWhole, repositories };
}

export type ListQuery =
  | {
      readonly ok: true;
      readonly repository: string | undefined;
      readonly since: EpochMs | undefined;
      readonly limit: number;
    }
  | { readonly ok: false; readonly problem: string };

const usualLimit = 100;
const maxLimit = 1000;

/** What a list of promotions is asked for, as the words of a query say it, or what is wrong with them. */
export function readListQuery(
  asked: {
    readonly repository?: string | undefined;
    readonly since?: string | undefined;
    readonly limit?: string | undefined;
  },
  now: EpochMs,
): ListQuery {
  const { repository, since, limit = String(usualLimit) } = asked;
  if (repository !== undefined && parseRepositoryName(repository) === undefined)
    return refuse('repository: no repository, such as release/app');
  const from = since === undefined ? undefined : parseSince(since, now);
  if (since !== undefined && from === undefined)
    return refuse('since: write an instant such as 2026-11-26T12:00:00Z, or how long ago: 24h, 7d');
  if (!/^[0-9]{1,9}$/.test(limit) || Number(limit) === 0) return refuse('limit: a whole number from 1');
  return { ok: true, repository, since: from, limit: Math.min(Number(limit), maxLimit) };
}

function refuse(problem: string): ListQuery {
  return { ok: false, problem };
}
