/** Entries of `rules:`, and the conditions under their `when:`. */
import { type Conditions, isNetwork, isZone } from '../conditions.ts';
import { type Rule, rightsOfAll } from '../model.ts';
import { parseTagPattern } from '../pattern.ts';
import type { Place } from './place.ts';
import type { RuleEntry } from './schema.ts';

/** What is wrong in it is reported at its place; the files are not put into force then. */
export function readRule(place: Place, entry: RuleEntry): Rule {
  place.at('name').declare('rule', entry.name);
  const tags = entry.tags && place.at('tags').each(entry.tags, parseTagPattern, 'invalid-pattern');
  const when = entry.when && readConditions(place.at('when'), entry.when);
  return {
    name: entry.name,
    effect: entry.effect ?? 'allow',
    mode: entry.mode ?? 'enforce',
    subjects: place.at('subjects').subjects(entry.subjects),
    except: place.at('except').subjects(entry.except),
    repositories: place.at('repositories').patterns(entry.repositories),
    rights: rightsOfAll(entry.actions),
    ...(tags === undefined ? {} : { tags }),
    ...(when === undefined ? {} : { when }),
    source: place.key(),
  };
}

function readConditions(place: Place, entry: NonNullable<RuleEntry['when']>): Conditions {
  for (const [index, network] of (entry.addresses ?? []).entries()) {
    if (isNetwork(network)) continue;
    const message = `"${network}" is not a network; expected an address or CIDR as 10.0.0.0/8`;
    place.at('addresses', index).problem('invalid-network', message);
  }
  if (entry.zone !== undefined && !isZone(entry.zone)) {
    place.at('zone').problem('unknown-zone', `"${entry.zone}" is not a known time zone`);
  }
  const after = entry.after === undefined ? undefined : place.at('after').instant(entry.after);
  const before = entry.before === undefined ? undefined : place.at('before').instant(entry.before);
  if (after !== undefined && before !== undefined && after >= before) {
    place.at('before').problem('never-applies', 'before is not later than after, so this rule could never apply');
  }
  const hours = entry.hours === undefined ? undefined : parseHours(entry.hours);
  if (hours !== undefined && hours.from === hours.until) {
    const message = 'these hours begin and end at the same minute; leave them out for the whole day';
    place.at('hours').problem('never-applies', message);
  }
  const { addresses, days, zone } = entry;
  return { addresses, after, before, days, hours, zone };
}

function parseHours(text: string): { readonly from: number; readonly until: number } {
  const [from = 0, until = 0] = text.split('-').map((time) => {
    const [hours = 0, minutes = 0] = time.split(':').map(Number);
    return hours * 60 + minutes;
  });
  return { from, until };
}
