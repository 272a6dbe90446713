/** Addresses on the page, made of names from elsewhere: each part is encoded, and each begins with `/ui/`. */

type Query = Readonly<Record<string, string | null | undefined>>;

/** A page with these in its query; what is empty is left out. */
export function pageLink(path: `/ui/${string}`, asked: Query = {}, anchor = ''): string {
  const query = queryOf(asked);
  return `${path}${query === '' ? '' : '?'}${query}${anchor === '' ? '' : '#'}${anchor}`;
}

/** `a=b&c=d` of what is there. Half of a pair of surrogates, which no address can hold, is written as U+FFFD. */
export function queryOf(asked: Query): string {
  const given = Object.entries(asked).flatMap(([name, value]) => (value ? [[name, value]] : []));
  return new URLSearchParams(given).toString();
}

/** The page of a repository, or of one of its images. */
export function repositoryLink(repository: string, query: Query = {}, anchor = ''): string {
  return pageLink(`/ui/r/${repository.split('/').map(encoded).join('/')}`, query, anchor);
}

/** Where deleting a tag begins. */
export function deleteLink(repository: string, tag: string): string {
  return pageLink('/ui/delete', { repository, tag });
}

/** Why somebody may or may not do something there. */
export function whyLink(repository: string, account: string, action: string): string {
  return pageLink('/ui/access', { repository, as: `user:${account}`, action });
}

/** A line of a policy file. */
export function policyLink({ file, line }: { readonly file: string; readonly line: number }): string {
  return pageLink('/ui/policy', { file, line: String(line) }, `L${line}`);
}

function encoded(segment: string): string {
  return encodeURIComponent(segment.replace(/[\ud800-\udfff]/g, '\ufffd'));
}

/** A link that a label or annotation holds; undefined for anything but plain `https:`. */
export function outsideLink(text: string): { readonly href: string; readonly host: string } | undefined {
  if (text.length > 2048 || !/^https:\/\/[^\s\\]+$/i.test(text)) return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return undefined;
  return { href: url.href, host: url.host };
}
