/** Why a gate refuses, in words for whoever pushes: what is missing where, and what to do. */
import type { StandingGate } from '../policy/gates.ts';

/** So that the whole sentence has at most 200 characters, whoever is refused whatever (contract section 4). */
const maxLength = 119;

const whatToDo = 'push the image you pulled, or use promote';

/** Where a gate looks, as people write it. */
function placeOf({ gate, sources }: StandingGate): string {
  const tags = gate.fromTags?.map(({ text }) => text).join(' or ');
  return `${sources.join(' or ')}${tags === undefined ? '' : ` under a tag ${tags}`}`;
}

function short(why: string, instead: string): string {
  return why.length <= maxLength ? why : instead;
}

/** It is in none of the sources. */
export function notThere(standing: StandingGate): string {
  const { match } = standing.gate;
  const rest = match === 'image' ? `; ${whatToDo}` : ' with this digest; use promote';
  return short(
    `this image is not in ${placeOf(standing)}${rest}`,
    `this image is not where it has to come from${rest}`,
  );
}

/** Not among the tags that were looked at, and there are more. */
export function cutShort(standing: StandingGate): string {
  const rest = '; push its tag as it is there, or use promote';
  const instead = `this image is under none of the first 2,000 tags where it has to come from${rest}`;
  return short(`this image is under none of the first 2,000 tags of ${standing.sources.join(' or ')}${rest}`, instead);
}

/** The gate has attachments come from where images come from. */
export function attachmentsApart(standing: StandingGate): string {
  const what = 'signatures and SBOMs have to be';
  return short(
    `${what} in ${standing.sources.join(' or ')} as well; use promote`,
    `${what} where images come from; use promote`,
  );
}

/** It is to be written to an index, and is not there itself. */
export function partMissing(repository: string): string {
  return short(`a part of it is not in ${repository}; push that first`, 'a part of it is not there; push that first');
}

/** What clients fetch from elsewhere nobody compares. */
export const elsewhere = 'a layer of it is to be fetched from elsewhere (urls); use promote';

/** Only as a whole. */
export function tooManyParts(most: number): string {
  return `an index of more than ${most} images, or of indexes in indexes, passes only as it was pulled; use promote`;
}
