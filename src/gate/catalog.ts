/** `_catalog`, filtered by the evaluator that judges pulls: a name that may not be pulled is never shown, not even in a Link. */
import type { Circumstances } from '../policy/conditions.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { Principal } from '../policy/model.ts';
import type { Registry, RepositoriesPage } from '../ports.ts';
import { type Unwanted, type VisibleNames, type ListPage, listVisibleNames } from './visible-names.ts';

export type CatalogPage = VisibleNames | Unwanted | Extract<RepositoriesPage, { ok: false }>;

const defaultSize = 100;
const actions = ['catalog', 'pull'] as const;

/** Up to `page.size` names from where the page begins that the principal may both list and pull. */
export function listCatalog(
  registry: Pick<Registry, 'repositories'>,
  policy: CompiledPolicy,
  principal: Principal,
  page: ListPage,
  { address, now }: Circumstances,
  isWanted: () => boolean,
): Promise<CatalogPage> {
  return listVisibleNames(
    (size, place) => registry.repositories(size, place),
    (repository) =>
      // Written out: a spread takes longer than the decision.
      actions.every((action) => policy.decide({ address, now, principal, action, repository }).allowed),
    { ...page, size: page.size ?? defaultSize, isWanted },
  );
}
