/** The documentation keeps its word: its tables, maps, links and names are those of the program; for its commands see docs.full.test.ts. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { configKeys } from '../src/config/schema.ts';
import { allChecks } from '../src/doctor/checks.ts';
import { compileByName } from '../src/policy/by-name.ts';
import { parsePolicy } from '../src/policy/files/parse.ts';
import { runTests } from '../src/policy/analysis/test-run.ts';
import { elsewhere, fencesOf, pages } from './support/pages.ts';
import { run } from './support/programs.ts';
import { cli, projectDir } from './support/trial.ts';

for (const page of pages) {
  const noted = fencesOf(page).filter(({ language, note }) => language === 'sh' && elsewhere.test(note));
  for (const { line, text, note } of noted) {
    const [, words = '', file = ''] = elsewhere.exec(note) ?? [];
    test(`${page}:${line} ${text.split('\n', 1)[0]} (done by ${file})`, () => {
      expect(readFileSync(join(projectDir, file), 'utf8')).toContain(words);
    });
  }
}

test('README.md is short enough to be read', () => {
  expect(readFileSync(join(projectDir, 'README.md')).length).toBeLessThanOrEqual(10_000);
});

describe('docs/configuration.md', () => {
  const page = 'docs/configuration.md';

  test('lists every setting with its variable, in the words of the program', () => {
    const rows = tableBehind(page, 'settings:').map((cells) => cells.map(plain));
    expect(rows).toEqual(configKeys().map(({ key, variable, description }) => [key, variable, description]));
  });

  test('lists every verb', async () => {
    const help = (await run(process.execPath, [cli, '--help'])).stdout;
    const verbs = [...(/^Commands:\n(.*?)\n\n/ms.exec(help)?.[1] ?? '').matchAll(/^ {2}([a-z][a-z-]*)/gm)].map(
      ([, verb]) => verb,
    );
    const listed = tableBehind(page, 'verbs:').map(([verb = '']) => plain(verb));
    expect(verbs.length).toBeGreaterThan(10);
    for (const verb of verbs.filter((each) => each !== 'help')) expect(listed).toContain(verb);
  });
});

describe('docs/operations.md', () => {
  const page = 'docs/operations.md';

  test('lists every metric', () => {
    const listed = tableBehind(page, 'metrics:').map(([name = '']) => plain(name));
    const found = [...sourceTexts().matchAll(/\bportcullis_\w+/g)].map(([name]) => name);
    expect(listed.sort()).toEqual([...new Set(found)].sort());
  });

  test('lists every check of doctor by its number and name', () => {
    const listed = tableBehind(page, 'checks:').map(([number = '', name = '']) => [Number(number), plain(name)]);
    expect(listed).toEqual(allChecks.map(({ number, name }) => [number, name]));
  });

  test('quotes messages that the program has', () => {
    const sources = sourceTexts();
    for (const [message = ''] of tableBehind(page, 'messages:')) {
      for (const part of plain(message).split('…')) {
        expect(sources.includes(part.trim()), `"${part.trim()}" is in no source`).toBe(true);
      }
    }
  });
});

describe('docs/architecture.md', () => {
  const page = 'docs/architecture.md';

  test('draws the map of src/ as it is', () => {
    const drawn = fencesOf(page).find(({ note }) => note.startsWith('map:'));
    const names = [...(drawn?.text ?? '').matchAll(/^ {2}(\S+) {2}/gm)].map(([, name]) => name);
    const found = readdirSync(join(projectDir, 'src'), { withFileTypes: true });
    expect(names.sort()).toEqual(found.map((entry) => entry.name + (entry.isDirectory() ? '/' : '')).sort());
  });

  test('sends every newcomer to one folder that exists', () => {
    const rows = tableBehind(page, 'rooms:');
    expect(rows.length).toBeGreaterThan(4);
    for (const [what = '', where = ''] of rows) {
      expect(where, what).toMatch(/^`[a-z/]+\/`$/);
      expect(existsSync(join(projectDir, 'src', plain(where))), `${page} sends to ${where}`).toBe(true);
    }
  });
});

describe('policies/README.md', () => {
  const examples = fencesOf('policies/README.md').filter(
    ({ language, text }) => language === 'yaml' && !/^(?:#.*\s*)*$/.test(text),
  );
  const read = (texts: readonly string[]): ReturnType<typeof parsePolicy> =>
    parsePolicy(texts.map((text, index) => ({ file: `example-${index}.yaml`, text })));

  test('shows examples that are one valid policy, whose tests pass', () => {
    const reading = read(examples.map(({ text }) => text));
    expect(reading).toMatchObject({ ok: true });
    if (!reading.ok) return;
    const { passed, failures } = runTests(compileByName(reading.policy), Date.parse('2026-06-01T10:00:00Z'));
    expect(failures).toEqual([]);
    expect(passed).toBeGreaterThan(0);
  });

  const traps = tableUnder('policies/README.md', '## Quotes');
  test('has a table of quoting traps', () => expect(traps.length).toBeGreaterThan(0));
  for (const [written = '', , instead = ''] of traps) {
    test(`is right that ${plain(written).slice(0, 60)} is refused, and what to write instead is not`, () => {
      expect(read([inContext(plain(written))])).toMatchObject({ ok: false });
      expect(read([inContext(plain(instead))])).toMatchObject({ ok: true });
    });
  }
});

describe('every page', () => {
  for (const page of pages) {
    test(`${page} links to files that exist`, () => {
      const text = readFileSync(join(projectDir, page), 'utf8');
      const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);
      const local = links.filter((link) => !link.startsWith('https:'));
      for (const link of local) {
        const [path = '', heading] = link.split('#');
        const file = path === '' ? page : join(dirname(page), path);
        expect(existsSync(join(projectDir, file)), `${page} links to ${link}`).toBe(true);
        if (heading !== undefined) expect(headingsOf(file), `${page} links to ${link}`).toContain(heading);
      }
    });

    test(`${page} names npm scripts that exist`, () => {
      const text = readFileSync(join(projectDir, page), 'utf8');
      const manifest: unknown = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8'));
      const { scripts } = manifest as { scripts: Record<string, string> };
      const named = [...text.matchAll(/\bnpm run ([a-z][a-z:-]*)/g)].map(([, name]) => name);
      expect(named.filter((name = '') => !(name in scripts))).toEqual([]);
    });

    test(`${page} names source files and folders that exist`, () => {
      const text = readFileSync(join(projectDir, page), 'utf8');
      const named = [
        ...text.matchAll(/(?<![\w./-])((?:[a-z-]+\/)+(?:[a-z-]+(?:\.[a-z]+)*\.(?:ts|md|mjs))?)(?![\w*])/g),
      ];
      const paths = named
        .map(([, path = '']) => path)
        .filter((path) => /^(src|test|deploy)\//.test(path) || /\.ts$/.test(path));
      for (const path of paths) {
        const candidates = [path, join('src', path)].map((candidate) => join(projectDir, candidate));
        expect(candidates.some(existsSync), `${page} names ${path}`).toBe(true);
      }
    });
  }
});

/** A line of a policy file, with the rest of what it needs. */
function inContext(line: string): string {
  if (line.startsWith('users:')) return line;
  const repositories = line.startsWith('repositories:') ? '' : "    repositories: ['a/**']\n";
  return `rules:\n  - name: example\n    subjects: [everyone]\n    actions: [pull]\n${repositories}    ${line}\n`;
}

/** The headings of a page as links name them. */
function headingsOf(page: string): readonly string[] {
  const outside = readFileSync(join(projectDir, page), 'utf8').replace(/^```.*?^```$/gms, '');
  return [...outside.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The rows of the first table behind the comment that starts with `word`, cell by cell. */
function tableBehind(page: string, word: string): readonly (readonly string[])[] {
  return tableUnder(page, `<!-- ${word}`);
}

function tableUnder(page: string, mark: string): readonly (readonly string[])[] {
  const lines = readFileSync(join(projectDir, page), 'utf8').split('\n');
  const from = lines.findIndex((line) => line.startsWith(mark));
  if (from === -1) throw new Error(`${page} has no ${mark}`);
  const begin = lines.findIndex((line, index) => index > from && line.startsWith('|'));
  const end = lines.findIndex((line, index) => index > begin && !line.startsWith('|'));
  return lines.slice(begin + 2, end).map((line) =>
    line
      .slice(1, -1)
      .split(' | ')
      .map((cell) => cell.trim()),
  );
}

/** A cell without its Markdown. */
function plain(cell: string): string {
  return cell.replace(/^`(.*)`$/, '$1').replaceAll('\\*', '*');
}

function sourceTexts(dir = join(projectDir, 'src')): string {
  const entries = readdirSync(dir, { withFileTypes: true });
  return entries
    .map((entry) =>
      entry.isDirectory() ? sourceTexts(join(dir, entry.name)) : readFileSync(join(dir, entry.name), 'utf8'),
    )
    .join('\n');
}
