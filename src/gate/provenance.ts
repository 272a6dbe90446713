/** What gates say of an image that is about to be written: whether the repositories they name hold it already. */
import type { StandingGate } from '../policy/gates.ts';
import type { Registry, RegistryFailure } from '../ports.ts';

/** A manifest about to be written to a repository, in which everything it names is already. */
export interface WrittenManifest {
  readonly repository: string;
  /** Of the content. */
  readonly digest: string;
  readonly content: Buffer;
  readonly mediaType: string | undefined;
  /** undefined for a write by digest alone. */
  readonly tag: string | undefined;
}

export type Provenance = Pick<Registry, 'resolveTag' | 'manifest' | 'tags' | 'hasManifest' | 'openBlob'>;

/** How one gate answers. `from`: where it was found; else the first of the repositories in which it was looked for. */
export type GateVerdict = { readonly standing: StandingGate; readonly from: string } & (
  | { readonly kind: 'passed'; readonly how: 'same_digest' | 'same_image' | 'attachment' }
  /** `why` in the words of the refusal: `this image is not in integration/app; push the image you pulled, or use promote`. */
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'unknown'; readonly reason: RegistryFailure['reason'] }
);
