/** Policy files as people are shown them: where they lie on the machine is for whoever runs it. */
import { type Policy, type Source, entriesOf } from '../policy/model.ts';

export interface ShownFiles {
  /**
   * `areas.yaml` for one outside the working directory, and `team-a/areas.yaml` where another one is called so, too; others by
   * their way from there, as they are.
   */
  readonly name: (file: string) => string;
  /** A sentence that may name some of them. */
  readonly words: (text: string) => string;
}

/** Which of them there are decides how much of its way tells one from the others. */
export function shownFiles(files: Iterable<string>): ShownFiles {
  const absolute = [...new Set(files)].filter(isAbsolute).sort((left, right) => right.length - left.length);
  const counts = new Map<string, number>();
  for (const ending of absolute.flatMap(endingsOf)) counts.set(ending, (counts.get(ending) ?? 0) + 1);
  const names = new Map(absolute.map((file) => [file, endingsOf(file).find((each) => counts.get(each) === 1)]));
  const name = (file: string): string => names.get(file) ?? (isAbsolute(file) ? baseOf(file) : file);
  // In one go: what is shown of one may end as another one is called.
  const any = new RegExp(absolute.map((file) => file.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|') || '(?!)', 'g');
  return { name, words: (text) => (text.includes('/') ? text.replace(any, name) : text) };
}

const known = new WeakMap<Policy, ShownFiles>();

/** Those that something of a policy stands in. */
export function shownFilesOf(policy: Policy): ShownFiles {
  const before = known.get(policy);
  if (before !== undefined) return before;
  const files = shownFiles([...sourcesOf(policy), ...policy.tests].map(({ source }) => source.file));
  known.set(policy, files);
  return files;
}

/** All that stands somewhere. */
export function sourcesOf(policy: Policy): readonly { readonly source: Source }[] {
  return [...policy.rules, ...policy.gates, ...entriesOf(policy).map(({ entry }) => entry)];
}

/** A line of the log about a problem, which begins with the file. */
export function withShownStart(text: string, files: ShownFiles): string {
  return text.replace(/^\/(?:[^/:]+\/)*[^/:]+(?=:)/, (file) => files.name(file));
}

/** Whether somebody who was shown this name, by whatever knew fewer of the files, may mean this one. */
export function isCalled(file: string, wished: string): boolean {
  return file === wished || (isAbsolute(file) && file.endsWith(`/${wished}`));
}

function isAbsolute(file: string): boolean {
  return file.startsWith('/');
}

function baseOf(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1);
}

/** `c`, `b/c`, `a/b/c` of `/a/b/c`. */
function endingsOf(file: string): readonly string[] {
  const segments = file.slice(1).split('/');
  return segments.map((_, at) => segments.slice(-1 - at).join('/'));
}
