/** What the registry has confirmed of a request, for what the gateway remembers of tags and repositories. */
import type { Admitted } from '../../gate/admit.ts';
import type { AuditRecord, Seen } from '../../ports.ts';
import type { Exchange } from '../front/exchange.ts';
import { who } from './audit-facts.ts';
import { tagsOf } from './tag-writer.ts';

/** `record`: of a reply that the registry gave, or memory for it; a refusal of the gateway's own has no status there. */
export function noteSeen(
  seen: Seen,
  { method, response }: Exchange,
  { route, caller }: Pick<Admitted, 'route' | 'caller'>,
  { status, digest, decision }: Partial<AuditRecord>,
): void {
  if (status === undefined || status < 200 || status > 299) return;
  switch (route.kind) {
    case 'manifest-get': {
      if (status !== 200 || decision === 'error') return;
      const { repository, reference } = route;
      const by = who(caller).account ?? '';
      if (method === 'GET') return seen.pulled(repository, 'tag' in reference ? reference : { ...reference, by });
      if ('tag' in reference && digest !== undefined) seen.resolved(repository, { tag: reference.tag, digest, by });
      return;
    }
    case 'manifest-put': {
      if (digest === undefined) return;
      const tags = 'tag' in route.reference ? [route.reference.tag] : tagsOf(route).filter(isNamedIn(response));
      return seen.written(route.repository, { tags, digest, by: who(caller).account ?? '' });
    }
    case 'manifest-delete':
      return seen.deleted(route.repository, route.reference);
    case 'upload-finish':
      return seen.contentWritten(route.repository);
    case 'upload-start':
      if (status === 201) seen.contentWritten(route.repository);
      return;
  }
}

/** A registry that does not know `?tag=` takes the manifest and sets no tag; one that does names those that it set. */
function isNamedIn(response: Exchange['response']): (tag: string) => boolean {
  const named = new Set(
    [response.getHeader('oci-tag') ?? []]
      .flat()
      .flatMap((line) => String(line).split(','))
      .map((tag) => tag.trim()),
  );
  return (tag) => named.has(tag);
}
