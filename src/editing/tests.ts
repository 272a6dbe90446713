/** Tests added to a policy file, as edits of its text: everything that stands there stays as it is. */
import { isDeepStrictEqual } from 'node:util';
import { formatInstant } from '../policy/describe.ts';
import { formatSubject } from '../policy/model.ts';
import type { ProposedTest } from '../policy/analysis/propose-tests.ts';
import { type Edit, type Fields, type Splices, makeEdit } from './edit.ts';
import { addBehind, addToFlow, afterComments, insertLines, unreadableIndent } from './insertion.ts';
import { entryOf, indentAt } from './layout.ts';
import { quoted } from './scalar.ts';
import { layoutOf } from './text-layout.ts';

const remark = '# Proposed by `portcullis test --write`: what holds today. Keep what is meant, correct the rest.';

/** Behind the tests that are there, or as the last section. */
export function addTests(text: string, tests: readonly ProposedTest[]): Edit {
  return makeEdit(
    text,
    () => findPlace(text, tests),
    (before, after) => {
      const old: readonly unknown[] = Array.isArray(before['tests']) ? before['tests'] : [];
      return isDeepStrictEqual(after, { ...before, tests: [...old, ...tests.map(dataOf)] });
    },
  );
}

/** As a file of its own would have them. */
export function testsInYaml(tests: readonly ProposedTest[]): string {
  return `${['tests:', ...linesOf(tests, '  ')].join('\n')}\n`;
}

function findPlace(text: string, tests: readonly ProposedTest[]): Splices {
  const layout = layoutOf(text);
  const section = entryOf(layout.root, 'tests')?.value;
  if (section === undefined) {
    if (layout.root?.kind === 'flow') return addToFlow(text, layout.root, `tests: [${tests.map(inFlow).join(', ')}]`);
    const indent = layout.root === undefined ? '' : indentAt(text, layout.root.offset);
    if (indent === undefined) return unreadableIndent;
    const lines = ['tests:', ...linesOf(tests, '  ')].map((line) => indent + line);
    const hasGap = text.slice(0, layout.end).trim() === '' || /\n\r?\n$/.test(text.slice(0, layout.end));
    return [insertLines(text, layout.end, hasGap ? lines : ['', ...lines])];
  }
  if (section.kind !== 'list') return { problem: '`tests:` is not a list' };
  const last = section.items.at(-1);
  if (section.style === 'flow') {
    const all = tests.map(inFlow).join(', ');
    return last === undefined ? [{ offset: section.offset + 1, length: 0, text: all }] : addBehind(text, last, all);
  }
  const indent = last === undefined ? undefined : indentAt(text, last.offset);
  if (last === undefined || indent === undefined) return unreadableIndent;
  return [insertLines(text, afterComments(text, last.end, indent), linesOf(tests, indent))];
}

function linesOf(tests: readonly ProposedTest[], indent: string): readonly string[] {
  return [
    indent + remark,
    ...tests.flatMap((test) => [
      `${indent}- name: ${quoted(test.name)}`,
      `${indent}  as: ${askerInYaml(test)}`,
      ...(['allow', 'deny'] as const).flatMap((key) =>
        test[key].length === 0 ? [] : [`${indent}  ${key}: [${test[key].map(inList).join(', ')}]`],
      ),
    ]),
  ];
}

function inFlow(test: ProposedTest): string {
  const lists = (['allow', 'deny'] as const).flatMap((key) =>
    test[key].length === 0 ? [] : [`${key}: [${test[key].map(quoted).join(', ')}]`],
  );
  return `{ ${[`name: ${quoted(test.name)}`, `as: ${askerInYaml(test)}`, ...lists].join(', ')} }`;
}

/** Words of a question hold nothing that YAML reads as more than text, but for a colon in a list of braces. */
function inList(question: string): string {
  return /^[\w ./:-]+$/.test(question) && !/: |:$/.test(question) ? question : quoted(question);
}

function askerInYaml({ principal, address, at }: ProposedTest): string {
  if (address === undefined && at === undefined) return quoted(formatSubject(principal));
  const parts = [
    'name' in principal ? `${principal.kind}: ${quoted(principal.name)}` : 'anonymous: true',
    ...(address === undefined ? [] : [`address: ${quoted(address)}`]),
    ...(at === undefined ? [] : [`at: ${quoted(formatInstant(at))}`]),
  ];
  return `{ ${parts.join(', ')} }`;
}

function dataOf({ name, principal, address, at, allow, deny }: ProposedTest): Fields {
  const as =
    address === undefined && at === undefined
      ? formatSubject(principal)
      : {
          ...('name' in principal ? { [principal.kind]: principal.name } : { anonymous: true }),
          ...(address === undefined ? {} : { address }),
          ...(at === undefined ? {} : { at: formatInstant(at) }),
        };
  return {
    name,
    as,
    ...(allow.length === 0 ? {} : { allow }),
    ...(deny.length === 0 ? {} : { deny }),
  };
}
