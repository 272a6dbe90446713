/** A policy file that was cut off, or is half written, is often a whole policy that says less: known by what it said before. */
import { pathInWords } from '../../document/check.ts';
import type { Problem } from '../../document/problem.ts';
import { readYaml } from '../../document/yaml.ts';
import type { PolicyText } from './parse.ts';

/**
 * Why the new text of a file is what `before` was cut to rather than an edit: it is a beginning of it that ends within a
 * line or an entry. A text that ends behind an entry has lost the rest on purpose. undefined also where it is no YAML:
 * that is said elsewhere.
 */
export function cutProblem({ file, text }: PolicyText, before: string): Problem | undefined {
  if (text.length >= before.length || !before.startsWith(text)) return undefined;
  const [left, whole] = [readYaml(file, text), readYaml(file, before)];
  if (!left.ok || !whole.ok) return undefined;
  const [now, then] = [left.document.value, whole.document.value];
  if (typeof now !== 'object' || now === null || sameData(now, then)) return undefined;
  const place = halfEntry(now, then) ?? (/(?:^|\n)[ \t]*$/.test(text) ? undefined : 'a line');
  if (place === undefined) return undefined;
  return {
    file,
    line: text.split('\n').length,
    column: 1,
    code: 'cut-off',
    message: `the file is the beginning of the one in force and ends in the middle of ${place}, as when writing was cut off`,
    fix: 'write it whole; if the rest is to go, end the file with a line of its own, such as: # end',
  };
}

/** The first entry of a section that is not what it was; an empty section lost its first. */
function halfEntry(now: object, then: unknown): string | undefined {
  const sections = new Map(entriesOf(then));
  for (const [section, left] of entriesOf(now)) {
    const before = sections.get(section);
    if (left === null) return sameData(left, before) ? undefined : section;
    const whole = new Map(entriesOf(before));
    const half = entriesOf(left).find(([name, entry]) => !sameData(entry, whole.get(name)));
    if (half !== undefined) return pathInWords([section, Array.isArray(left) ? Number(half[0]) : half[0]]);
  }
  return undefined;
}

function entriesOf(value: unknown): readonly [string, unknown][] {
  return typeof value === 'object' && value !== null ? Object.entries(value) : [];
}

function sameData(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
