/** Digests of content. */
import { createHash } from 'node:crypto';

/** By the algorithm that registries name content with. */
export function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** Whether content has a digest, by that digest's own algorithm. */
export function hasDigest(content: Buffer, digest: string): boolean {
  const [algorithm = '', encoded] = digest.split(':');
  return /^sha(?:256|384|512)$/.test(algorithm) && createHash(algorithm).update(content).digest('hex') === encoded;
}
