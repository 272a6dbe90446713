/** Points in time as people write them in policy files and on the command line. */

/** What stands in files must look so; whether there is such a day is `parseInstant`'s to say. */
export const instantShape = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** Milliseconds since 1970 of `2027-01-31` (midnight UTC) or `2026-12-24T00:00:00Z`; undefined for anything else. */
export function parseInstant(text: string): number | undefined {
  if (!instantShape.test(text)) return undefined;
  const milliseconds = Date.parse(text);
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split('-').map(Number);
  // Date.parse rolls 2027-02-30 over into March.
  const date = new Date(Date.UTC(year, month - 1, day));
  const isReal = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return isReal && !Number.isNaN(milliseconds) ? milliseconds : undefined;
}
