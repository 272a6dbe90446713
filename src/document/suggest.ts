/** "Did you mean": what a misspelt word was probably meant to be. */
// Both bounds keep a hostile document from buying work: the cost is at most candidates x length x length.
const maxCandidates = 2_000;
const maxLength = 64;

/** The candidate a person most likely meant, or undefined when none is near. Ties go to the first in alphabetical order. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const sought = word.toLowerCase();
  if (sought.length === 0 || sought.length > maxLength) return undefined;
  let best: string | undefined;
  let bestDistance = tolerance(sought.length) + 1;
  let seen = 0;
  for (const candidate of candidates) {
    seen += 1;
    if (seen > maxCandidates) break;
    if (candidate.length > maxLength || Math.abs(candidate.length - sought.length) > bestDistance) continue;
    const distance = editDistance(sought, candidate.toLowerCase());
    // A distance as long as the candidate shares nothing with it.
    if (distance >= candidate.length) continue;
    if (distance < bestDistance || (distance === bestDistance && best !== undefined && candidate < best)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` — did you mean "push"?`, or nothing when no candidate is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const found = nearest(word, candidates);
  return found === undefined ? '' : ` — did you mean "${found}"?`;
}

function tolerance(length: number): number {
  if (length <= 3) return 1;
  return length <= 7 ? 2 : 3;
}

/** Damerau-Levenshtein with adjacent transpositions ("optimal string alignment"). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
