/** The bodies of manifest pushes, read whole: a digest decides whether a push changes a tag, and they are small. */
import { Readable } from 'node:stream';
import type { MemoryBudget } from '../../limits/memory-budget.ts';
import type { Exchange } from './exchange.ts';

/** Bytes; distribution and zot take no larger manifest (distribution CVE-2017-11468 took any). */
export const maxManifestBytes = 4_194_304;
/** Of all bodies that are being read, judged or forwarded. */
export const manifestBudget = { total: 16 * maxManifestBytes, each: 4 * maxManifestBytes };
/** Milliseconds for a whole body, however it dribbles. */
export const manifestTotalMs = 60_000;
/** Bytes set aside for a body at first; most manifests fit. */
const firstBytes = 16_384;

export type ManifestBody =
  | { readonly ok: true; readonly content: Buffer; release(): void }
  | { readonly ok: false; readonly reason: 'too_large' | 'stalled' | 'client_gone' | 'no_memory' };

export interface ManifestReading {
  readonly budget: MemoryBudget;
  /** Whose share of the budget it is. */
  readonly account: string;
  /** Milliseconds without a byte. */
  readonly idleMs: number;
  readonly totalMs?: number;
}

/**
 * Reads at most `maxManifestBytes` into memory that `budget` has room for; whoever gets the content releases it. A declared
 * length beyond the bound is refused unread. One buffer that grows, since a chunk of one byte costs a hundred.
 */
export function readManifestBody(
  { request, response, expectsContinue }: Exchange,
  { budget, account, idleMs, totalMs = manifestTotalMs }: ManifestReading,
): Promise<ManifestBody> {
  const refuse = (reason: Extract<ManifestBody, { ok: false }>['reason']): Promise<ManifestBody> =>
    Promise.resolve({ ok: false, reason });
  if (response.destroyed || request.socket.destroyed) return refuse('client_gone');
  if (Number(request.headers['content-length'] ?? 0) > maxManifestBytes) return refuse('too_large');
  const share = budget.open(account);
  if (!share.grow(firstBytes)) return refuse('no_memory');
  if (expectsContinue) response.writeContinue();
  return new Promise((resolve) => {
    let buffer = Buffer.allocUnsafeSlow(firstBytes);
    let size = 0;
    const settle = (body: ManifestBody): void => {
      clearTimeout(idle);
      clearTimeout(deadline);
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      request.pause();
      if (!body.ok) {
        buffer = Buffer.alloc(0);
        share.close();
      }
      resolve(body);
    };
    const onData = (chunk: Buffer): void => {
      idle.refresh();
      const needed = size + chunk.length;
      if (needed > maxManifestBytes) return settle({ ok: false, reason: 'too_large' });
      if (needed > buffer.length) {
        let larger = buffer.length;
        while (larger < needed) larger *= 2;
        if (!share.grow(larger - buffer.length)) return settle({ ok: false, reason: 'no_memory' });
        const grown = Buffer.allocUnsafeSlow(larger);
        buffer.copy(grown, 0, 0, size);
        buffer = grown;
      }
      chunk.copy(buffer, size);
      size = needed;
    };
    const onEnd = (): void => settle({ ok: true, content: buffer.subarray(0, size), release: share.close });
    const onClose = (): void => settle({ ok: false, reason: 'client_gone' });
    const idle = setTimeout(() => settle({ ok: false, reason: 'stalled' }), idleMs);
    const deadline = setTimeout(() => settle({ ok: false, reason: 'stalled' }), totalMs);
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

/** A stream of content that is already here, for a proxy that pipes. */
export function bodyStream(content: Buffer): Readable {
  return Readable.from(content.length === 0 ? [] : [content], { objectMode: false });
}
