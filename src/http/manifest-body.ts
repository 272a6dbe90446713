/** The body of a manifest push, read whole: its digest decides whether the push changes a tag, and it is small. */
import { Readable } from 'node:stream';
import type { Exchange } from './exchange.ts';

/** Bytes; distribution and zot take no larger manifest (distribution CVE-2017-11468 took any). */
export const maxManifestBytes = 4_194_304;

export type ManifestBody =
  | { readonly ok: true; readonly content: Buffer }
  | { readonly ok: false; readonly reason: 'too_large' | 'stalled' | 'client_gone' };

/** Reads at most `maxManifestBytes`, giving up when no byte comes for `idleMs`. A declared length beyond the bound is refused unread. */
export function readManifestBody(
  { request, response, expectsContinue }: Exchange,
  idleMs: number,
): Promise<ManifestBody> {
  if (response.destroyed || request.socket.destroyed) return Promise.resolve({ ok: false, reason: 'client_gone' });
  if (Number(request.headers['content-length'] ?? 0) > maxManifestBytes) {
    return Promise.resolve({ ok: false, reason: 'too_large' });
  }
  if (expectsContinue) response.writeContinue();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (body: ManifestBody): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      request.pause();
      resolve(body);
    };
    const onData = (chunk: Buffer): void => {
      timer.refresh();
      size += chunk.length;
      if (size > maxManifestBytes) settle({ ok: false, reason: 'too_large' });
      else chunks.push(chunk);
    };
    const onEnd = (): void => settle({ ok: true, content: Buffer.concat(chunks) });
    const onClose = (): void => settle({ ok: false, reason: 'client_gone' });
    const timer = setTimeout(() => settle({ ok: false, reason: 'stalled' }), idleMs);
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

/** A stream of content that is already here, for a proxy that pipes. */
export function bodyStream(content: Buffer): Readable {
  return Readable.from(content.length === 0 ? [] : [content], { objectMode: false });
}
