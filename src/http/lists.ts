/** Lists that are made here because they may have to hide names: repositories, and tags where rules speak of tags. */
import { type Page, type RegistryRoute, formatTarget, ownParameter } from '../distribution/route.ts';
import type { Caller } from '../gate/admit.ts';
import { listCatalog } from '../gate/catalog.ts';
import { type TagReader, listTags } from '../gate/tag-list.ts';
import type { Continuation } from '../gate/visible-names.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import { type Principal, formatSubject } from '../policy/model.ts';
import type { AuditRecord, Clock, Registry } from '../ports.ts';
import type { ListCursors } from '../token/list-cursor.ts';
import type { Exchange } from './exchange.ts';
import {
  type UpstreamFailure,
  catalogUnsupported,
  repositoryUnknown,
  send,
  unusable,
  upstreamFailed,
} from './respond.ts';

export interface ListParts {
  readonly registry: Pick<Registry, 'repositories' | 'tags'>;
  readonly cursors: ListCursors;
  readonly clock: Clock;
}

type ListRoute = RegistryRoute & { readonly kind: 'catalog' | 'tags' };

export async function sendRepositories(
  parts: ListParts,
  exchange: Exchange,
  route: RegistryRoute & { readonly kind: 'catalog' },
  { principal }: Caller,
  policy: CompiledPolicy,
): Promise<Partial<AuditRecord>> {
  const page = pageOf(parts, route, principal);
  if (page === undefined) return strangeCursor(exchange);
  const circumstances = { address: exchange.address, now: parts.clock() };
  const listed = await listCatalog(parts.registry, policy, principal, page, circumstances, isWantedBy(exchange));
  if (!listed.ok && listed.reason === 'unsupported') return { status: send(exchange, catalogUnsupported) };
  if (!listed.ok) return notListed(exchange, listed.reason);
  const body = JSON.stringify({ repositories: listed.names });
  return { status: send(exchange, { status: 200, headers: linkTo(parts, route, principal, listed.next), body }) };
}

export async function sendTags(
  parts: ListParts,
  exchange: Exchange,
  route: RegistryRoute & { readonly kind: 'tags' },
  reader: TagReader,
): Promise<Partial<AuditRecord>> {
  const page = pageOf(parts, route, reader.principal);
  if (page === undefined) return strangeCursor(exchange);
  const { repository: name } = route;
  const listed = await listTags(parts.registry, reader, page, isWantedBy(exchange));
  if (!listed.ok && (listed.reason === 'unknown' || listed.reason === 'unsupported'))
    return { status: send(exchange, repositoryUnknown(name)) };
  if (!listed.ok) return notListed(exchange, listed.reason);
  const body = JSON.stringify({ name, tags: listed.names });
  return {
    status: send(exchange, { status: 200, headers: linkTo(parts, route, reader.principal, listed.next), body }),
  };
}

function isWantedBy({ response }: Exchange): () => boolean {
  return () => !response.destroyed;
}

/** The page that was asked for, its cursor opened; undefined for a cursor that was never given to this reader of this list. */
function pageOf({ cursors }: ListParts, route: ListRoute, reader: Principal): Page | undefined {
  const { page, cursor } = route;
  if (cursor === undefined) return page;
  const last = cursors.open(wordsFor(route, reader), cursor);
  return last === undefined ? undefined : { ...page, last };
}

function strangeCursor(exchange: Exchange): Partial<AuditRecord> {
  return { decision: 'deny', reason: 'page_invalid', status: send(exchange, unusable({ reason: 'page_invalid' })) };
}

function notListed(exchange: Exchange, reason: UpstreamFailure | 'unwanted'): Partial<AuditRecord> {
  if (reason === 'unwanted') return { decision: 'error', reason: 'client_gone', status: 499 };
  return { decision: 'error', reason: `upstream_${reason}`, status: send(exchange, upstreamFailed(reason)) };
}

/** The page of the same size that follows; no header when there is none. */
function linkTo(
  { cursors }: ListParts,
  route: ListRoute,
  reader: Principal,
  next: Continuation | undefined,
): Record<string, string> {
  if (next === undefined) return {};
  const place = next.isShown
    ? `last=${encodeURIComponent(next.after)}`
    : `${ownParameter}=${cursors.seal(wordsFor(route, reader), next.after)}`;
  const size = route.page.size === undefined ? '' : `&n=${route.page.size}`;
  return { Link: `<${formatTarget({ ...route, page: {} })}?${place}${size}>; rel="next"` };
}

function wordsFor(route: ListRoute, reader: Principal): readonly string[] {
  return [route.kind, 'repository' in route ? route.repository : '', formatSubject(reader)];
}
