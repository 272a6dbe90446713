/** Content of a registry or storage that is looked at before the client gets it, read whole. */
import type { IncomingMessage } from 'node:http';
import { GrowingBuffer } from '../../limits/growing-buffer.ts';
import type { MemoryShare } from '../../limits/memory-budget.ts';
import { maxManifestBytes } from '../front/manifest-body.ts';

/** For all content that is being read, or waits for a client to take it; one site (clientSite) may hold half. */
export const contentBudget = { total: 16 * maxManifestBytes, each: 8 * maxManifestBytes };

/** For the log. */
export const memoryShort = 'too much content waits for its clients at once';

/** Counted in `share`. Not read on where it is larger than any manifest or list, or memory is short; rejects when it breaks off. */
export async function readWhole(
  response: IncomingMessage,
  share: MemoryShare,
): Promise<Buffer | 'too_large' | 'no_memory'> {
  const buffer = new GrowingBuffer(share, maxManifestBytes);
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const problem = buffer.add(chunk);
    if (problem !== undefined) return problem;
  }
  return buffer.content;
}
