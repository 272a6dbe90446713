/** What changed in whom a workload is. */
import type { Workload } from '../model.ts';
import { formatRate } from '../rate.ts';

/** In words, each part that differs; files are compared by whether there is one, since both policies lie in places of their own. */
export function trustChanges(before: Workload, after: Workload): readonly string[] {
  const old = partsOf(before);
  const young = partsOf(after);
  const names = [...new Set([...old.keys(), ...young.keys()])];
  return names.flatMap((name) => {
    const [was = 'nothing', is = 'nothing'] = [old.get(name), young.get(name)];
    return was === is ? [] : [`${name} ${was} becomes ${is}`];
  });
}

function partsOf({ issuer, audiences, claims, lifetimeSeconds, jwks, ca }: Workload): ReadonlyMap<string, string> {
  const lifetime = lifetimeSeconds === undefined ? 'until it expires' : durationOf(lifetimeSeconds);
  return new Map([
    ['issuer', JSON.stringify(issuer)],
    [
      'audience',
      [...audiences]
        .sort()
        .map((audience) => JSON.stringify(audience))
        .join(' or '),
    ],
    ...[...claims].map(([name, pattern]) => [`claim ${JSON.stringify(name)}`, JSON.stringify(pattern)] as const),
    ['lifetime', lifetime],
    ['keys', jwks === undefined ? 'of the issuer' : 'of a file'],
    ['authority', ca === undefined ? 'of the system' : 'of a file'],
  ]);
}

function durationOf(seconds: number): string {
  return formatRate({ amount: 1, seconds }).replace('1/', '');
}
