/** The groups that somebody is in, and those that these are in. */
import { filterOf, anyOf } from './filters.ts';
import type { GroupSettings } from './settings.ts';
import type { Reply, Search, Trouble } from './wire.ts';

/** All that are looked at for one person; whoever is in more is not known: a rule may deny one of those left out. */
const maxGroups = 1000;
/** Levels of groups in groups. */
const maxDepth = 5;
/** Groups asked about in one search. */
const maxAtOnce = 50;
const sizeLimitExceeded = 4;

export type Groups = { readonly ok: true; readonly names: readonly string[] } | Trouble;

/** By the directory's own names, sorted, each once. */
export async function groupsOf(
  search: (search: Search) => Promise<Reply>,
  settings: GroupSettings,
  person: { readonly dn: string; readonly account: string },
): Promise<Groups> {
  const { base, filter, name, nested } = settings;
  const names = new Set<string>();
  const seen = new Set<string>([keyOf(person.dn)]);
  let level: readonly string[] = [person.dn];
  for (let depth = 0; level.length > 0 && depth <= (nested === 'walk' ? maxDepth : 0); depth++) {
    const next: string[] = [];
    for (let from = 0; from < level.length; from += maxAtOnce) {
      const filters = level
        .slice(from, from + maxAtOnce)
        // Below the first level only groups are members: the person's own name is none of theirs.
        .map((dn) => filterOf(filter, { dn, account: depth === 0 ? person.account : dn }, nested === 'ad'));
      const asked = { base, scope: 'sub', filter: anyOf(filters), attributes: [name], sizeLimit: maxGroups } as const;
      const reply = await search(asked);
      if (!reply.ok) return reply;
      for (const entry of reply.entries) {
        if (seen.has(keyOf(entry.dn))) continue;
        seen.add(keyOf(entry.dn));
        next.push(entry.dn);
        for (const text of entry.texts(name)) names.add(text);
      }
      if (reply.status === sizeLimitExceeded || seen.size > maxGroups) return tooMany(person.dn);
    }
    level = next;
  }
  return { ok: true, names: [...names].sort() };
}

/** One server spells a name in one way, up to case. */
function keyOf(dn: string): string {
  return dn.toLowerCase();
}

function tooMany(dn: string): Trouble {
  const detail = `"${dn}" is in more groups than are read (${maxGroups}); narrow logins.ldap.groups.base or filter`;
  return { ok: false, why: 'refused', detail, isTheirs: true };
}
