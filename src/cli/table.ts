/**
 * Columns for a terminal; text from outside is made harmless, since a user agent may carry escape sequences. Cells are
 * cut to `longest` characters; a table with places is not cut, since a place without its line number is no place.
 */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { longest = 60 }: { readonly longest?: number } = {},
): string {
  const lines = [head, ...rows].map((row) => row.map((cell) => harmless(cell, longest)));
  const widths = head.map((_, column) => Math.max(...lines.map((row) => (row[column] ?? '').length)));
  return lines
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function harmless(text: string, longest: number): string {
  const shown = text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
  return shown.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '?');
}
