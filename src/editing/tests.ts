/** Tests added to a policy file, as edits of its text: everything that stands there stays as it is. */
import { formatInstant } from '../policy/describe.ts';
import { formatSubject } from '../policy/model.ts';
import type { ProposedTest } from '../policy/analysis/propose-tests.ts';
import { type Edit, type Splices, itemsOf, makeEdit } from './edit.ts';
import { addBehind, addSection, addToFlow, afterComments, insertLines, unreadableIndent } from './insertion.ts';
import { entryOf, indentAt, layoutOf } from './layout.ts';
import { quoted } from './scalar.ts';

const remark = '# Proposed by `portcullis test --write`: what holds today. Keep what is meant, correct the rest.';

/** Behind the tests that are there, or as the last section. */
export function addTests(text: string, tests: readonly ProposedTest[]): Edit {
  return makeEdit(
    text,
    () => findPlace(text, tests),
    (before) => ({ ...before, tests: [...itemsOf(before['tests']), ...tests.map(dataOf)] }),
  );
}

/** As a file of its own would have them. */
export function testsInYaml(tests: readonly ProposedTest[]): string {
  return `${['tests:', ...linesOf(tests, '  ')].join('\n')}\n`;
}

function findPlace(text: string, tests: readonly ProposedTest[]): Splices {
  const layout = layoutOf(text);
  const section = entryOf(layout.root, 'tests')?.value;
  const all = tests.map(inFlow).join(', ');
  if (section === undefined) {
    if (layout.root?.kind === 'flow') return addToFlow(text, layout.root, `tests: [${all}]`);
    return addSection(text, layout, ['tests:', ...linesOf(tests, '  ')]);
  }
  if (section.kind !== 'list') return { problem: '`tests:` is not a list' };
  const last = section.items.at(-1);
  if (section.style === 'flow') {
    return last === undefined ? [{ offset: section.offset + 1, length: 0, text: all }] : addBehind(text, last, all);
  }
  const indent = last === undefined ? undefined : indentAt(text, last.offset);
  if (last === undefined || indent === undefined) return unreadableIndent;
  return [insertLines(text, afterComments(text, last.end, indent), linesOf(tests, indent))];
}

function linesOf(tests: readonly ProposedTest[], indent: string): readonly string[] {
  const lines = tests.flatMap((test) =>
    partsOf(test, inList).map((part, index) => `${index === 0 ? '- ' : '  '}${part}`),
  );
  return [remark, ...lines].map((line) => indent + line);
}

function inFlow(test: ProposedTest): string {
  return `{ ${partsOf(test, quoted).join(', ')} }`;
}

/** Each a key with its value; `word` writes one question. */
function partsOf(test: ProposedTest, word: (question: string) => string): readonly string[] {
  const { name, as, image, ...lists } = dataOf(test);
  const pairs = typeof as === 'string' ? [] : Object.entries(as);
  const asker = pairs.map(([key, value]) => `${key}: ${key === 'anonymous' ? 'true' : quoted(String(value))}`);
  return [
    `name: ${quoted(name)}`,
    `as: ${typeof as === 'string' ? quoted(as) : `{ ${asker.join(', ')} }`}`,
    ...(image === undefined ? [] : [`image: ${image}`]),
    ...Object.entries(lists).map(([key, questions]) => `${key}: [${questions.map(word).join(', ')}]`),
  ];
}

/** Words of a question hold nothing that YAML reads as more than text, but for a colon in a list of braces. */
function inList(question: string): string {
  return /^[\w ./:-]+$/.test(question) && !/: |:$/.test(question) ? question : quoted(question);
}

function dataOf({ name, principal, address, at, image, allow, deny }: ProposedTest) {
  const asker = {
    ...('name' in principal ? { [principal.kind]: principal.name } : { anonymous: true }),
    ...(address === undefined ? {} : { address }),
    ...(at === undefined ? {} : { at: formatInstant(at) }),
  };
  return {
    name,
    as: address === undefined && at === undefined ? formatSubject(principal) : asker,
    ...(image === 'approved' ? {} : { image }),
    ...(allow.length === 0 ? {} : { allow }),
    ...(deny.length === 0 ? {} : { deny }),
  };
}
