/**
 * An upload goes on where the registry said, for who opened it. The `Location` of an upload session carries a ticket: what
 * the registry wrote there, sealed for this upload, its account and its registry, and when it was opened. With it a token
 * that expired meanwhile still continues this one upload; revocation and policy are judged as always. No store is asked, so
 * uploads go on while Redis is down.
 */
import type { KeyRing } from '../ports.ts';
import { createSeals } from './seals.ts';
import type { EpochSeconds } from '../time.ts';

export interface UploadTickets {
  /** The value for the `Location`; printable without escapes. `target`: path and query that the registry wrote. */
  seal(upload: Upload, openedAt: EpochSeconds, target?: string): string;
  /** undefined unless `ticket` was sealed for exactly this upload, by any live key, not longer ago than one may last. */
  open(ticket: string, upload: Upload, nowSeconds: EpochSeconds): UploadTicket | undefined;
  opens(ticket: string, upload: Upload, nowSeconds: EpochSeconds): boolean;
}

export interface Upload {
  readonly repository: string;
  readonly uploadId: string;
  /** Empty for an anonymous caller. */
  readonly account: string;
}

export interface UploadTicket {
  readonly openedAt: EpochSeconds;
  /** Empty where the upload's own path is all there is. */
  readonly target: string;
}

/** Seconds that one upload may go on after it was opened. */
export const maxUploadSeconds = 6 * 3600;

/** Seconds by which the clock of another replica may be ahead. */
const maxAheadSeconds = 60;

/** `upstreamOf`: the URL of the registry that has a repository, of which no ticket is taken to another. */
export function createUploadTickets(
  keys: KeyRing,
  upstreamOf: (repository: string) => string = () => '',
): UploadTickets {
  const seals = createSeals(keys, 'portcullis upload ticket');
  const wordsFor = ({ repository, uploadId, account }: Upload): readonly string[] => [
    upstreamOf(repository),
    'upload',
    repository,
    uploadId,
    account,
  ];
  const open: UploadTickets['open'] = (ticket, upload, nowSeconds) => {
    const opened = seals.open(wordsFor(upload), ticket);
    if (opened === undefined) return undefined;
    const { sealedAt: openedAt, text: target } = opened;
    const isLive = nowSeconds - openedAt <= maxUploadSeconds && openedAt <= nowSeconds + maxAheadSeconds;
    return isLive ? { openedAt, target } : undefined;
  };
  return {
    seal: (upload, openedAt, target = '') => seals.seal(wordsFor(upload), target, openedAt),
    open,
    opens: (ticket, upload, nowSeconds) => open(ticket, upload, nowSeconds) !== undefined,
  };
}
