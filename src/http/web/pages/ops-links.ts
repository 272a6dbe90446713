/** Where pages for operators lead: every link begins with `/ui/`. */
import type { ActivityRecord } from '../../../operations/answers.ts';

/** The Access page, asked why somebody may or may not. */
export function accessLink({ as, action, repository, tag }: NonNullable<ActivityRecord['explain']>): string {
  const query = new URLSearchParams({ as, action, repository });
  if (tag !== undefined) query.set('tag', tag);
  return `/ui/access?${query.toString()}`;
}

/** A page with these in its query; what is empty is left out. */
export function pageLink(path: `/ui/${string}`, asked: Readonly<Record<string, string | undefined>>): string {
  const query = queryOf(asked);
  return query === '' ? path : `${path}?${query}`;
}

/** `a=b&c=d` of what is there. */
export function queryOf(asked: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(asked).filter((pair): pair is [string, string] => (pair[1] ?? '') !== '');
  return new URLSearchParams(given).toString();
}
