/** `_catalog`, filtered by the evaluator that judges pulls: a name that may not be pulled is never shown, not even in a Link. */
import type { Page } from '../distribution/route.ts';
import type { Circumstances } from '../policy/conditions.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { Principal } from '../policy/model.ts';
import type { Registry } from '../ports.ts';

/** Where the next page begins. A name that is not shown is for this gateway alone. */
export interface Continuation {
  readonly after: string;
  readonly isShown: boolean;
}

export type CatalogPage =
  | { readonly ok: true; readonly names: readonly string[]; readonly next: Continuation | undefined }
  | { readonly ok: false; readonly reason: 'unreachable' | 'timeout' | 'broken' | 'unwanted' };

/** Names asked of the registry at once, and how many such pages one request may cost. */
const backendPage = 1000;
const maxBackendPages = 50;
const defaultSize = 100;

/**
 * Up to `page.size` visible names after `page.last`, and where to go on when more may follow. Work is bounded: in a very
 * long run of hidden names a page ends early, perhaps empty, and the next one goes on behind a hidden name. Nothing more
 * is asked of the registry once the page is not wanted any longer.
 */
export async function listCatalog(
  registry: Pick<Registry, 'repositories'>,
  policy: CompiledPolicy,
  principal: Principal,
  page: Page,
  circumstances: Circumstances,
  isWanted: () => boolean,
): Promise<CatalogPage> {
  const size = page.size ?? defaultSize;
  const visible: string[] = [];
  const ended = (next?: Continuation): CatalogPage => ({ ok: true, names: visible, next });
  if (size === 0) return ended();
  let last = page.last;
  for (let asked = 0; asked < maxBackendPages; asked++) {
    if (!isWanted()) return { ok: false, reason: 'unwanted' };
    const backend = await registry.repositories(backendPage, last);
    if (!backend.ok) return backend;
    for (const repository of backend.names) {
      const isShown = (['catalog', 'pull'] as const).every(
        (action) => policy.decide({ ...circumstances, principal, action, repository }).allowed,
      );
      if (!isShown) continue;
      // One more than asked for proves that there is a next page.
      const shown = visible.at(-1);
      if (visible.length === size && shown !== undefined) return ended({ after: shown, isShown: true });
      visible.push(repository);
    }
    const end = backend.names.at(-1);
    if (!backend.more || end === undefined || end === last) return ended();
    last = end;
  }
  return ended(last === undefined ? undefined : { after: last, isShown: last === visible.at(-1) });
}
