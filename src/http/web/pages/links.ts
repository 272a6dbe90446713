/** Addresses on the page, made of names from elsewhere: each part is encoded, and each begins with `/ui/`. */

/** The page of a repository, or of one of its images. */
export function repositoryLink(
  repository: string,
  query: Readonly<Record<string, string | undefined>> = {},
  anchor = '',
): string {
  const path = repository.split('/').map(encoded).join('/');
  return `/ui/r/${path}${queryOf(query)}${anchor === '' ? '' : `#${anchor}`}`;
}

/** The list of repositories, or what is in a folder. */
export function folderLink(query: Readonly<Record<string, string | undefined>>): string {
  return `/ui/${queryOf(query)}`;
}

/** Where deleting a tag begins. */
export function deleteLink(repository: string, tag: string): string {
  return `/ui/delete${queryOf({ repository, tag })}`;
}

/** Why somebody may or may not do something there. */
export function whyLink(repository: string, account: string, action: string): string {
  return `/ui/access${queryOf({ repository, as: `user:${account}`, action })}`;
}

/** What is '' or undefined is left out. Half of a pair of surrogates, which no address can hold, is written as U+FFFD. */
function queryOf(query: Readonly<Record<string, string | undefined>>): string {
  const given = new URLSearchParams();
  for (const [name, value = ''] of Object.entries(query)) if (value !== '') given.append(name, value);
  return given.size === 0 ? '' : `?${given.toString()}`;
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
