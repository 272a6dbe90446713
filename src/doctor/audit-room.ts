/** Whether the disk under the audit files holds what the days until `audit.keep` write. */
import { dayOf, parseAuditFileName } from '../audit/file-name.ts';
import type { RoomFacts } from '../ports/doctor.ts';
import { type Outcome, fail, ok, warn } from './check.ts';

const dayMs = 86_400_000;
/** Whole days that are looked at: what is written changes. */
const lately = 7;
const mib = 1024 ** 2;

export interface AuditTerms {
  readonly directory: string;
  readonly keepMs: number;
  /** Without room nothing is pushed, and nobody logs in. */
  readonly isRequired: boolean;
}

/** By the busiest of the last days; `now` in milliseconds since 1970. */
export function judgeAuditRoom(facts: RoomFacts, terms: AuditTerms, now: number): Outcome {
  const { trouble, freeBytes, freeFiles = Infinity } = facts;
  const { directory, keepMs, isRequired } = terms;
  const cost = isRequired ? 'nothing is pushed then (audit.required)' : 'lines are lost then';
  if (trouble !== undefined)
    return fail(
      `nothing can be written to ${directory}: ${trouble}`,
      'give it to the user of the gateway, or mount it',
    );
  const { bytes, files, days } = aDay(facts, now);
  const room = `${inWords(freeBytes)} left`;
  const more = `make room, keep fewer days (audit.keep), or pack files of days that are over: gzip ${directory}/DAY.HOST.jsonl`;
  if (freeBytes < Math.max(bytes, mib) || freeFiles < Math.max(files, 1)) {
    const what = freeFiles < Math.max(files, 1) ? `room for ${freeFiles} more files` : room;
    return fail(`${directory} has ${what}, less than one day writes: ${cost}`, more);
  }
  // Whoever has kept as many days as are kept writes over what is deleted.
  const growing = Math.max(0, Math.ceil(keepMs / dayMs) - days);
  const lasts = Math.floor(Math.min(freeBytes / bytes, freeFiles / files));
  if (lasts < growing) {
    const found = `${directory} is full in ${lasts} ${lasts === 1 ? 'day' : 'days'}, and the first file is deleted in ${growing}: ${cost}`;
    return warn(found, `${more}; the rest needs ${inWords(bytes * (growing - lasts))} more`);
  }
  return ok(bytes === 0 ? `${directory} has ${room}` : `${directory} has ${room}, a day writes ${inWords(bytes)}`);
}

/** What the busiest of the last whole days wrote, all gateways together, and how many days there are. */
function aDay(
  { files }: RoomFacts,
  now: number,
): { readonly bytes: number; readonly files: number; readonly days: number } {
  const [today, first] = [dayOf(now), dayOf(now - lately * dayMs)];
  const days = new Map<string, { bytes: number; files: number }>();
  for (const { name, bytes } of files) {
    const day = parseAuditFileName(name)?.day;
    if (day === undefined) continue;
    const { bytes: others = 0, files: count = 0 } = days.get(day) ?? {};
    days.set(day, { bytes: others + bytes, files: count + 1 });
  }
  const whole = [...days].filter(([day]) => day >= first && day < today).map(([, each]) => each);
  return {
    bytes: Math.max(0, ...whole.map(({ bytes }) => bytes)),
    files: Math.max(0, ...whole.map(({ files: count }) => count)),
    days: days.size,
  };
}

function inWords(bytes: number): string {
  const units = ['MiB', 'GiB', 'TiB', 'PiB'];
  let [value, at] = [bytes / mib, 0];
  for (; value >= 1024 && at < units.length - 1; at++) value /= 1024;
  return `${value < 1 ? 'less than 1' : value < 10 ? value.toFixed(1) : Math.floor(value)} ${units[at]}`;
}
