/** `from:` of a group: which groups of login sources stand for it. */
import { didYouMean } from '../../document/suggest.ts';
import { type LoginSource, type OutsideGroup, loginSources } from '../model.ts';
import type { Place } from './place.ts';

const maxLength = 256;
const sourcesWithGroups: readonly LoginSource[] = loginSources.filter((source) => source !== 'htpasswd');
const expected = 'expected ldap:NAME or oidc:NAME, the name as the source has it';

/** What cannot be read, or stands there twice, is reported and left out. */
export function readFrom(place: Place, texts: readonly string[]): readonly OutsideGroup[] {
  for (const [index, text] of texts.entries()) {
    if (texts.indexOf(text) < index) place.at(index).problem('duplicate-name', `"${text}" stands here twice`);
  }
  return place.each(texts, parseOutsideGroup, 'invalid-value');
}

function parseOutsideGroup(text: string): OutsideGroup | { readonly problem: string } {
  const colon = text.indexOf(':');
  const source = text.slice(0, Math.max(0, colon));
  const group = text.slice(colon + 1);
  if (source === 'htpasswd') {
    const cure = 'declare the person instead: users: { NAME: { groups: [GROUP] } }';
    return { problem: `a htpasswd file knows no groups; ${cure}` };
  }
  const known = sourcesWithGroups.find((each) => each === source);
  if (known === undefined) {
    const hint = colon === -1 ? '' : didYouMean(source, sourcesWithGroups);
    return { problem: `"${text}" names no group of a login source${hint}; ${expected}` };
  }
  if (group.trim() !== group || group === '' || group.length > maxLength || hasControl(group))
    return { problem: `"${text}" is no name of a group; ${expected}, at most ${maxLength} characters` };
  return { source: known, group };
}

function hasControl(text: string): boolean {
  return [...text].some((character) => character < ' ' || character === '\u007f');
}
