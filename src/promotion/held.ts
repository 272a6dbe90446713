/** What is held while a tag is set, so that nothing of it is deleted at that moment. */
import type { Closure } from './closure.ts';

/** The digest and those of all manifests below it. */
export function partsHeld({ images }: Pick<Closure, 'images'>): readonly string[] {
  return [...images.keys()];
}
