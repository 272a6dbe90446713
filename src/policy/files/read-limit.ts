/** Entries of `limits:`. */
import type { Limit } from '../model.ts';
import type { Place } from './place.ts';
import { formatRate, parseRate } from '../rate.ts';
import type { LimitEntry } from './schema.ts';

/** undefined when its rate cannot be read. */
export function readLimit(place: Place, entry: LimitEntry): Limit | undefined {
  place.at('name').declare('limit', entry.name);
  const { count, per } = entry;
  if (count === 'token' && per === 'repository') {
    const message = 'a token request names no one repository; count it per account or address';
    place.at('per').problem('never-applies', message);
  }
  if (per === 'account' && entry.subjects.every((subject) => subject === 'anonymous')) {
    place.at('per').problem('never-applies', 'anonymous callers have no account; write per: address');
  }
  const rate = parseRate(entry.rate);
  if ('problem' in rate) {
    place.at('rate').problem('invalid-rate', rate.problem);
    return undefined;
  }
  const { burst = rate.amount } = entry;
  if (burst > rate.amount) {
    const longer = { amount: burst, seconds: (rate.seconds * burst) / rate.amount };
    const isRate = Number.isInteger(longer.seconds) && !('problem' in parseRate(formatRate(longer)));
    const fix = isRate ? `; for ${burst} at once at the same pace write rate: ${formatRate(longer)}` : '';
    place.at('burst').problem('invalid-rate', `a burst is at most the amount of the rate, ${rate.amount}${fix}`);
  }
  return {
    name: entry.name,
    mode: entry.mode ?? 'enforce',
    subjects: place.at('subjects').subjects(entry.subjects),
    except: place.at('except').subjects(entry.except),
    count,
    per,
    rate,
    burst,
    source: place.key(),
  };
}
