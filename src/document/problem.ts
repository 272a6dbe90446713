/**
 * What is wrong with a document, in a form a person can act on. Lines and columns count from 1; 0 means "not applicable". A line
 * without a column is never shown: all of it may be secret.
 */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Short, stable and kebab-case: safe to match in scripts. */
  readonly code: string;
  readonly message: string;
  readonly fix?: string | undefined;
}

/** One that no line has. */
export function unplaced(file: string, code: string, message: string, fix?: string): Problem {
  return { file, line: 0, column: 0, code, message, fix };
}

const shownLineWidth = 160;
/** Characters: the time that masking takes grows with their square. */
const maxMaskedLine = 12_000;

// C0 and C1 controls, and the marks that reorder text: either lets a file name or key forge other lines on a terminal.
const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g;

// What a line of a policy or configuration file may hold that must never reach a log: passwords and their hashes,
// robot secrets, credentials inside URLs.
const secretParts: readonly RegExp[] = [
  // Misspelt as well: that is when the line is shown.
  /(?<=\b(?:pa?s+\w*|pwd?|secret|credentials)(?<!file)["']?\s*:\s*)[^\s,}{].*?(?=,\s*[\w"']+\s*:|\s*}|\s*$)/gi,
  /(?<=\busername["']?\s*:\s*["']?[^\s:"',{}]*:)[^\s"',}]+/gi,
  /(?<=\bsha256["']?\s*:\s*)[^\s,}]+/gi,
  /\$(?:argon2(?:id|i|d)|2[abxy])\$\S+/g,
  /\bpct_\w+/g,
  /(?<=:\/\/)[^\s/]*(?=@)/g,
];

/** The text in double quotes, cut to a readable length, with everything unprintable escaped. */
export function quote(text: string): string {
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return escapeUnprintable(JSON.stringify(shown));
}

/** With escapes as in JSON. */
export function escapeUnprintable(text: string): string {
  return text.replace(unprintable, escaped);
}

/** The same, but for the ends of lines: each line by itself. */
export function escapeLines(text: string): string {
  return text.split('\n').map(escapeUnprintable).join('\n');
}

/** Words of others, such as those of TLS, may have lines of their own, and would write lines of ours. */
export function onOneLine(text: string): string {
  const lines = text.split(/[\r\n]/).map((line) => line.trim());
  return escapeUnprintable(lines.filter((line) => line !== '').join(' '));
}

/** `file:line:column: message` with the fix, and of a given text the line with a caret; secrets in it are masked. */
export function formatProblem(problem: Problem, sourceText?: string): string {
  const { file, line, column } = problem;
  const place = line < 1 ? file : column < 1 ? `${file}:${line}` : `${file}:${line}:${column}`;
  const lines = [escapeUnprintable(`${place}: ${problem.message}`)];
  const source = sourceText === undefined || line < 1 || column < 1 ? undefined : shownLine(sourceText, line);
  if (source !== undefined) lines.push(...excerpt(source, line, column));
  if (problem.fix !== undefined) lines.push(`    fix: ${escapeUnprintable(problem.fix)}`);
  return lines.join('\n');
}

/** By file, then position, then text; the input is left alone. */
export function sortProblems(problems: readonly Problem[]): readonly Problem[] {
  return [...problems].sort(
    (a, b) =>
      compareText(a.file, b.file) || a.line - b.line || a.column - b.column || compareText(a.message, b.message),
  );
}

/** By code units, the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** To go on behind a colon. */
export function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** A secret may stand below its key. */
const secretBelow = /\b(?:pa?s+\w*|pwd?|secret|credentials)(?<!file)["']?\s*:\s*[|>]?[-+\d]*\s*(?:#.*)?$/i;

/** Nothing beside lines that are too long to be looked through for secrets. */
function shownLine(text: string, line: number): string | undefined {
  const above = line > 1 ? (lineOf(text, line - 1) ?? '') : '';
  const own = lineOf(text, line);
  if (own === undefined || Math.max(above.length, own.length) > maxMaskedLine) return undefined;
  return secretBelow.test(above) ? own.replace(/\S.*/, stars) : own;
}

function lineOf(text: string, line: number): string | undefined {
  return text
    .split('\n', line)
    [line - 1]?.replace(/^\ufeff/, '')
    .replace(/\r$/, '');
}

function excerpt(source: string, line: number, column: number): readonly string[] {
  const masked = secretParts.reduce((text, part) => text.replace(part, stars), source);
  const from = masked.length <= shownLineWidth ? 0 : Math.max(0, column - 1 - shownLineWidth / 2);
  // One replacement character per unprintable one keeps the caret below its column.
  const shown = masked
    .slice(from, from + shownLineWidth)
    .replace(unprintable, (found) => (found === '\t' ? '\t' : '?'));
  const indent = shown.slice(0, Math.max(0, column - 1 - from)).replace(/[^\t]/g, ' ');
  const number = String(line).padStart(5);
  return [`${number} | ${shown}`, `${' '.repeat(number.length)} | ${indent}^`];
}

function stars(secret: string): string {
  return '*'.repeat(secret.length);
}
