/** A body that is small and soon there, as a whole. */
import type { Exchange } from './exchange.ts';

/** In bytes, and in milliseconds for all of it. */
export interface SmallBody {
  readonly maxBytes: number;
  readonly withinMs: number;
}

/** What is not read of it stays unread: whoever answers then ends the connection. Never rejects. */
export function readSmallBody(
  { request }: Pick<Exchange, 'request'>,
  { maxBytes, withinMs }: SmallBody,
): Promise<Buffer | 'too_large' | 'late'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (content: Buffer | 'too_large' | 'late'): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      request.pause();
      resolve(content);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxBytes) settle('too_large');
      else chunks.push(chunk);
    };
    const onEnd = (): void => settle(Buffer.concat(chunks));
    const onClose = (): void => settle('late');
    const timer = setTimeout(onClose, withinMs);
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}
