/** `_catalog`, filtered by the evaluator that judges pulls: a name that may not be pulled is never shown, not even in a Link. */
import type { Page } from '../distribution/route.ts';
import type { Circumstances } from '../policy/conditions.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { Principal } from '../policy/model.ts';
import type { Registry } from '../ports.ts';

export type CatalogPage =
  | { readonly ok: true; readonly names: readonly string[]; readonly next: string | undefined }
  | { readonly ok: false; readonly reason: 'unreachable' | 'timeout' | 'broken' };

/** Names asked of the registry at once, and how many such pages one request may cost. */
const backendPage = 1000;
const maxBackendPages = 50;
const defaultSize = 100;

/**
 * Up to `page.size` visible names after `page.last`. `next` is the last visible name when more may follow. Work is
 * bounded: behind a very long run of hidden names a page may be short, and then carries `next` only if it shows a name.
 */
export async function listCatalog(
  registry: Pick<Registry, 'repositories'>,
  policy: CompiledPolicy,
  principal: Principal,
  page: Page,
  circumstances: Circumstances,
): Promise<CatalogPage> {
  const size = page.size ?? defaultSize;
  const visible: string[] = [];
  let last = page.last;
  for (let asked = 0; asked < maxBackendPages; asked++) {
    const backend = await registry.repositories(backendPage, last);
    if (!backend.ok) return backend;
    for (const repository of backend.names) {
      const isShown = (['catalog', 'pull'] as const).every(
        (action) => policy.decide({ ...circumstances, principal, action, repository }).allowed,
      );
      if (!isShown) continue;
      // One more than asked for proves that there is a next page.
      if (visible.length === size) return { ok: true, names: visible, next: visible.at(-1) };
      visible.push(repository);
    }
    const end = backend.names.at(-1);
    if (!backend.more || end === undefined || end === last) return { ok: true, names: visible, next: undefined };
    last = end;
  }
  return { ok: true, names: visible, next: visible.at(-1) };
}
