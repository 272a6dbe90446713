/** The bodies of manifest pushes, read whole: a digest decides whether a push changes a tag, and they are small. */
import { Readable } from 'node:stream';
import { GrowingBuffer } from '../../limits/growing-buffer.ts';
import type { MemoryBudget } from '../../limits/memory-budget.ts';
import type { Exchange } from './exchange.ts';

/** Bytes; distribution and zot take no larger manifest (distribution CVE-2017-11468 took any). */
export const maxManifestBytes = 4_194_304;
/** Of all bodies that are being read, judged or forwarded. */
export const manifestBudget = { total: 16 * maxManifestBytes, each: 4 * maxManifestBytes };
/** Milliseconds for a whole body, however it dribbles. */
const manifestTotalMs = 60_000;

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

/** Reads into memory of `budget`, at most `maxManifestBytes`; whoever gets the content releases it. */
export function readManifestBody(
  { request, response, expectsContinue }: Exchange,
  { budget, account, idleMs, totalMs = manifestTotalMs }: ManifestReading,
): Promise<ManifestBody> {
  const refuse = (reason: Extract<ManifestBody, { ok: false }>['reason']): Promise<ManifestBody> =>
    Promise.resolve({ ok: false, reason });
  if (response.destroyed || request.socket.destroyed) return refuse('client_gone');
  if (Number(request.headers['content-length'] ?? 0) > maxManifestBytes) return refuse('too_large');
  const share = budget.open(account);
  if (expectsContinue) response.writeContinue();
  return new Promise((resolve) => {
    const buffer = new GrowingBuffer(share, maxManifestBytes);
    const settle = (body: ManifestBody): void => {
      clearTimeout(idle);
      clearTimeout(deadline);
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      request.pause();
      if (!body.ok) share.close();
      resolve(body);
    };
    const onData = (chunk: Buffer): void => {
      idle.refresh();
      const problem = buffer.add(chunk);
      if (problem !== undefined) settle({ ok: false, reason: problem });
    };
    const onEnd = (): void => settle({ ok: true, content: buffer.content, release: share.close });
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
