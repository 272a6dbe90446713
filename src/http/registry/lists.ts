/** Lists that are made here because they may have to hide names: repositories, and tags where rules speak of tags. */
import { type RegistryRoute, ownParameter, parseRoute, spelledOf } from '../../distribution/route.ts';
import { formatTarget } from '../../distribution/target.ts';
import type { Caller } from '../../identity/identify.ts';
import { listCatalog } from '../../gate/catalog.ts';
import { listTags } from '../../gate/tag-list.ts';
import type { TagAsker } from '../../gate/tag-writes.ts';
import type { Continuation, ListStart } from '../../gate/visible-names.ts';
import type { CompiledPolicy } from '../../policy/evaluate.ts';
import { type Principal, formatSubject } from '../../policy/model.ts';
import type { Clock, Registry } from '../../ports.ts';
import type { ListCursors } from '../../sealed/list-cursor.ts';
import { type Exchange, isAwaited } from '../front/exchange.ts';
import { type UpstreamFailure, catalogUnsupported, repositoryUnknown, unusable } from '../front/respond.ts';
import type { Backend } from '../backend/backend.ts';
import { type Outcome, answered, clientGone, denied, passedOn, unanswerable } from './outcome.ts';

export interface ListParts {
  readonly backend: Pick<Backend, 'open' | 'ask'>;
  /** Asked for pages of all repositories. */
  readonly catalog: Pick<Registry, 'repositories'>;
  readonly gate: { readonly cursors: ListCursors; readonly clock: Clock };
}

type ListRoute = RegistryRoute & { readonly kind: 'catalog' | 'tags' | 'referrers' };

/** The answer with the repositories that the caller may see. */
export async function showRepositories(
  parts: ListParts,
  exchange: Exchange,
  route: RegistryRoute & { readonly kind: 'catalog' },
  { principal }: Caller,
  policy: CompiledPolicy,
): Promise<Outcome> {
  const start = startOf(parts, route, principal);
  if (start === undefined) return strangeCursor;
  const circumstances = { address: exchange.address, now: parts.gate.clock() };
  const listed = await listCatalog(
    parts.catalog,
    policy,
    principal,
    { ...route.page, ...start },
    circumstances,
    isAwaited(exchange),
  );
  if (!listed.ok && listed.reason === 'unsupported') return answered(catalogUnsupported);
  if (!listed.ok) return notListed(listed.reason);
  const body = JSON.stringify({ repositories: listed.names });
  const headers = { ...linkTo(parts, route, principal, listed.next), ...warningOf(listed.left) };
  return answered({ status: 200, headers, body });
}

/** The answer with the tags that the reader may read. */
export async function showTags(
  parts: ListParts,
  exchange: Exchange,
  route: RegistryRoute & { readonly kind: 'tags' },
  reader: TagAsker,
): Promise<Outcome> {
  const start = startOf(parts, route, reader.principal);
  if (start === undefined) return strangeCursor;
  const name = spelledOf(route);
  const listed = await listTags(parts.backend.ask, reader, { ...route.page, ...start }, isAwaited(exchange));
  if (!listed.ok && (listed.reason === 'unknown' || listed.reason === 'unsupported'))
    return answered(repositoryUnknown(name));
  if (!listed.ok) return notListed(listed.reason);
  const body = JSON.stringify({ name, tags: listed.names });
  return answered({ status: 200, headers: linkTo(parts, route, reader.principal, listed.next), body });
}

/** A list that the registry may show as it is. Where it goes on by words of its own, those stay sealed. */
export async function forwardList(
  { backend, gate: { cursors } }: ListParts,
  exchange: Exchange,
  route: ListRoute & { readonly kind: 'tags' | 'referrers' },
  { principal }: Caller,
): Promise<Outcome> {
  const words = wordsFor(route, principal);
  const place = route.cursor === undefined ? undefined : cursors.open(words, route.cursor);
  const isTarget = place?.startsWith('/') === true;
  if (route.cursor !== undefined && !isTarget) return strangeCursor;
  const sealPage = (target: string): string => {
    const { path, size } = listOf(route);
    return isPlain(target) ? target : `${path}?${ownParameter}=${cursors.seal(words, target)}${size}`;
  };
  // The same list may have been asked for by another spelling of its name.
  const target = isTarget && place !== undefined ? { target: listOf(route).path + queryOf(place) } : {};
  return passedOn(await backend.open({ exchange, route, sealPage, ...target }));
}

function queryOf(target: string): string {
  const mark = target.indexOf('?');
  return mark === -1 ? '' : target.slice(mark);
}

/** Whether it would reach the registry as it is if a client sent it: it holds nothing that only the registry understands. */
function isPlain(target: string): boolean {
  const parsed = parseRoute('GET', target);
  const pairs = (text: string): string => (text.split('?')[1] ?? '').split('&').sort().join('&');
  return 'route' in parsed && pairs(formatTarget(parsed.route)) === pairs(target);
}

/** Whether the cursor that came leads behind a name that was hidden: such a list goes on as it began. */
export function beganFiltered(
  { gate: { cursors } }: Pick<ListParts, 'gate'>,
  route: ListRoute,
  { principal }: Caller,
): boolean {
  const place = route.cursor === undefined ? undefined : cursors.open(wordsFor(route, principal), route.cursor);
  return place?.startsWith('/') === false;
}

/** Where the page that was asked for begins; undefined for a cursor that was never given to this reader of this list. */
function startOf({ gate: { cursors } }: ListParts, route: ListRoute, reader: Principal): ListStart | undefined {
  const { page, cursor } = route;
  if (cursor === undefined) return { last: page.last };
  const place = cursors.open(wordsFor(route, reader), cursor);
  if (place === undefined) return undefined;
  const [next = '', last] = place.split(' ');
  return place.startsWith('/') ? { next, last } : { last: place };
}

const strangeCursor = denied(unusable({ reason: 'page_invalid' }), 'page_invalid');

function notListed(reason: UpstreamFailure | 'unwanted'): Outcome {
  return reason === 'unwanted' ? clientGone : unanswerable(reason);
}

/** RFC 7234, section 5.5: the list has less in it than there is. */
function warningOf(left: readonly string[] = []): Record<string, string> {
  const names = left.map((name) => `'${name}'`).join(', ');
  return left.length === 0 ? {} : { Warning: `299 - "the repositories of ${names} cannot be listed now"` };
}

/** The page of the same size that follows; no header when there is none. */
function linkTo(
  { gate: { cursors } }: ListParts,
  route: ListRoute,
  reader: Principal,
  next: Continuation | undefined,
): Record<string, string> {
  if (next === undefined) return {};
  const { path, size } = listOf(route);
  // Without a name only the page says where it goes on.
  const isOpaque = next.page !== undefined && (next.after === '' || !isPlain(next.page));
  const place =
    next.isShown && !isOpaque
      ? `last=${encodeURIComponent(next.after)}`
      : `${ownParameter}=${cursors.seal(wordsFor(route, reader), isOpaque ? `${next.page} ${next.after}` : next.after)}`;
  return { Link: `<${path}?${place}${size}>; rel="next"` };
}

/** The path of a list, and its size as a further parameter. */
function listOf({ page, ...route }: ListRoute): { readonly path: string; readonly size: string } {
  const named = route.kind === 'catalog' ? route : { ...route, repository: spelledOf(route) };
  const [path = ''] = formatTarget({ ...named, page: {} }).split('?', 1);
  return { path, size: page.size === undefined ? '' : `&n=${page.size}` };
}

function wordsFor(route: ListRoute, reader: Principal): readonly string[] {
  const { kind } = route;
  const of = kind === 'catalog' ? [] : kind === 'tags' ? [route.repository] : [route.repository, route.digest];
  return [kind, ...of, formatSubject(reader)];
}
