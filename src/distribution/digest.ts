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

/** A digest while its content passes. `add` each part in order; `matches` once, behind the last. */
export interface RunningDigest {
  add(part: Buffer): void;
  matches(): boolean;
}

/** For a digest of one of the registered algorithms; undefined for any other. */
export function runningDigest(digest: string): RunningDigest | undefined {
  const [algorithm = '', encoded] = digest.split(':');
  if (!/^sha(?:256|384|512)$/.test(algorithm)) return undefined;
  const hash = createHash(algorithm);
  return { add: (part) => void hash.update(part), matches: () => hash.digest('hex') === encoded };
}
