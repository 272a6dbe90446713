/** Whose counters are forgotten when there are too many: whoever has the most pays, so that nobody crowds out the others. */
import { clientSite } from './client-network.ts';

const perAddress = 'address\n';

/**
 * Those of `counters`, the least recent first, to give up so that `kept` of them are left. All networks of one site are one
 * owner (a /48 has 65,536 of them); every owner keeps the most recent, as many as fit when nobody else has more.
 */
export function toForget(counters: readonly string[], kept: number): readonly string[] {
  const owners = counters.map(ownerOf);
  const held = new Map<string, number>();
  for (const owner of owners) held.set(owner, (held.get(owner) ?? 0) + 1);
  const share = fairShare([...held.values()], kept);
  let excess = counters.length - kept;
  return counters.filter((_, index) => {
    const owner = owners[index] ?? '';
    const own = held.get(owner) ?? 0;
    if (excess <= 0 || own <= share) return false;
    held.set(owner, own - 1);
    excess--;
    return true;
  });
}

/** The most for each such that all of it fits, where some want less. */
function fairShare(wanted: readonly number[], total: number): number {
  let left = total;
  for (const [index, size] of wanted.toSorted((one, other) => one - other).entries()) {
    const share = Math.floor(left / (wanted.length - index));
    if (size > share) return share;
    left -= size;
  }
  return Infinity;
}

/** Of a counter as spend.ts names it: limit, kind and source, a line each. */
function ownerOf(counter: string): string {
  const payer = counter.slice(counter.indexOf('\n') + 1);
  return payer.startsWith(perAddress) ? clientSite(payer.slice(perAddress.length)) : payer;
}
