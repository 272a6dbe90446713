/** What was promoted, remembered. */
import type { EpochMs } from '../time.ts';

/** One that has been done. Texts are bounded by whoever makes it. */
export interface Promotion {
  readonly id: string;
  readonly at: EpochMs;
  readonly account: string;
  readonly kind: 'user' | 'robot' | 'workload';
  readonly digest: string;
  readonly source: PromotedName;
  readonly target: PromotedName;
  readonly reason?: string | undefined;
  /** Manifests that were written, blobs that belong to them, how many of those were mounted. */
  readonly manifests: number;
  readonly blobs: number;
  readonly mounted: number;
  /** Of the blobs that could not be mounted. */
  readonly bytes: number;
  readonly durationMs: number;
}

export interface PromotedName {
  readonly repository: string;
  /** A tag, or a digest. */
  readonly reference: string;
}

/** Kept for 90 days, the latest of them; none of the calls throws or takes longer than about a second. */
export interface Promotions {
  record(promotion: Promotion): Promise<{ readonly ok: true } | { readonly ok: false; readonly reason: 'unavailable' }>;
  find(
    id: string,
  ): Promise<
    | { readonly ok: true; readonly promotion: Promotion | undefined }
    | { readonly ok: false; readonly reason: 'unavailable' }
  >;
  /** The latest first, `skip` of them left out: at most `count`, and none from before `since`. */
  latest(
    count: number,
    skip: number,
    since?: EpochMs,
  ): Promise<
    | { readonly ok: true; readonly promotions: readonly Promotion[] }
    | { readonly ok: false; readonly reason: 'unavailable' }
  >;
}
