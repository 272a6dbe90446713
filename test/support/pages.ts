/** The pages of the documentation, and their commands as a person runs them. */
import { readFileSync, readdirSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDocker } from './docker.ts';
import type { Docker } from './docker.ts';
import { describeWithPrograms, requirePrograms, run } from './programs.ts';
import type { Program } from './programs.ts';
import { makeTempDir, removeTempDir } from './temp-dir.ts';
import { copyProject, projectDir, startTrial, trialPlace } from './trial.ts';
import type { TrialPlace } from './trial.ts';

/** Paths from the root of the project. */
export const pages = [
  ...['', 'docs', 'policies', 'deploy', 'test/conformance'].flatMap((dir) =>
    readdirSync(join(projectDir, dir))
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(dir, name)),
  ),
];

/** Where another file does what the fence says. */
export const elsewhere = /^not run: "(.+)" in (\S+)$/;

export interface Fence {
  readonly line: number;
  readonly language: string;
  readonly text: string;
  /** What the HTML comment above it says. */
  readonly note: string;
  /** The `text` fence right behind it. */
  readonly output: readonly string[];
}

/** The fences of a page that are commands to run here, in order. */
export function commandsOf(page: string): readonly Fence[] {
  return fencesOf(page).filter(({ language, note }) => language === 'sh' && !elsewhere.test(note));
}

/**
 * The commands of a page, one test each. Each ```sh fence is run as written, in order, in a copy of the project with try mode
 * running; only the port is another. A ```text fence behind it must come out, line by line, … standing for anything.
 * A comment above the fence says what is special: `exits N`, `needs docker`, or `not run: "TEXT" in FILE` for what
 * another file does, which must hold that text (test/docs.test.ts).
 */
export function testCommands(page: string): void {
  const fences = commandsOf(page);
  describeWithPrograms(['docker-registry', 'curl', 'git'], `the commands of ${page}`, () => {
    let place: TrialPlace;
    let gateway: Program;
    let docker: Docker | undefined;
    beforeAll(async () => {
      place = await trialPlace(await makeTempDir('docs'));
      await copyProject(place.dir);
      await endFreeze(place);
      await commitPolicies(place);
      gateway = await startTrial(place);
    });
    afterAll(async () => {
      await docker?.stop();
      await gateway?.stop();
      await removeTempDir(place.dir);
    });

    for (const { line, text, note, output } of fences) {
      const [, needs = '', exits = '0'] = /^(needs docker)?(?:, )?(?:exits (\d+))?$/.exec(note) ?? [];
      const title = `${page}:${line} ${text.split('\n', 1)[0]}`;

      test(title, async (context) => {
        expect(note, 'an unknown comment above the fence').toMatch(/^(needs docker)?(, )?(exits \d+)?$/);
        if (needs !== '') {
          requirePrograms(context, ['root', 'docker', 'dockerd', 'containerd', 'ctr']);
          docker ??= await startDocker();
        }
        const before = await policiesOf(place);
        const reloads = countReloads(gateway);
        const seen = await shell(place, text, docker);
        expect(seen).toMatchObject({ code: Number(exits) });
        expectInOrder(seen.stdout, output);
        // The next command comes later than a person's would: wait until the gateway has seen the edit.
        if ((await policiesOf(place)) !== before) {
          await gateway.until(() => countReloads(gateway) > reloads, 'it noticed the edited policies');
        }
      });
    }
  });
}

/** Every fence of a page, in order. */
export function fencesOf(page: string): readonly Fence[] {
  const lines = readFileSync(join(projectDir, page), 'utf8').split('\n');
  const found: { line: number; end: number; language: string; text: string; note: string }[] = [];
  for (let index = 0; index < lines.length; index++) {
    const language = /^```(\w*)$/.exec(lines[index] ?? '')?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf('```', index + 1);
    if (end === -1) throw new Error(`${page}:${index + 1}: this fence is not closed`);
    let above = index - 1;
    while (lines[above] === '') above--;
    const note = /^<!-- (.+) -->$/.exec(lines[above] ?? '')?.[1] ?? '';
    found.push({ line: index + 1, end, language, text: lines.slice(index + 1, end).join('\n'), note });
    index = end;
  }
  return found.map(({ end, ...fence }, position) => {
    const next = found[position + 1];
    const follows =
      next?.language === 'text' && next.note === '' && lines.slice(end + 1, next.line - 1).every((line) => line === '');
    return { ...fence, output: follows ? next.text.split('\n') : [] };
  });
}

async function shell(place: TrialPlace, text: string, docker: Docker | undefined): ReturnType<typeof run> {
  const script = text.replaceAll('127.0.0.1:5050', new URL(place.url).host);
  return run('sh', ['-ec', `exec 2>&1\n${script}`], {
    cwd: place.dir,
    env: {
      ...place.env,
      PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
      ...(docker === undefined ? {} : { DOCKER_HOST: docker.host, DOCKER_CONFIG: join(place.dir, '.docker') }),
    },
  });
}

/** Every expected line in some line of the output, in the same order; … stands for anything. */
function expectInOrder(output: string, expected: readonly string[]): void {
  const lines = output.replaceAll('\r', '').split('\n');
  let from = 0;
  for (const want of expected) {
    const parts = want
      .trim()
      .split('…')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const pattern = new RegExp(parts.join('.*'));
    const at = lines.findIndex((line, index) => index >= from && pattern.test(line));
    expect(at, `"${want}" comes out, in this order, of:\n${output}`).not.toBe(-1);
    from = at + 1;
  }
}

/** In the days of the year-end freeze of the shipped policies a release is refused, as it should be: then it is a year later. */
async function endFreeze({ dir }: TrialPlace): Promise<void> {
  const path = join(dir, 'policies/areas.yaml');
  const text = await readFile(path, 'utf8');
  const [, after = '', before = ''] = /when: \{ after: (\S+), before: (\S+) \}/.exec(text) ?? [];
  if (!(Date.now() >= Date.parse(after) && Date.now() < Date.parse(before))) return;
  const later = (day: string): string => day.replace(/^\d+/, (year) => String(Number(year) + 1));
  const freeze = new RegExp(`${after.slice(0, 7)}-(?=2[45]T)|${before.slice(0, 8)}(?=02T)`, 'g');
  await writeFile(path, text.replace(freeze, later));
}

/** As in a clone: the policies are in git. */
async function commitPolicies({ dir }: TrialPlace): Promise<void> {
  const author = ['-c', 'user.name=docs', '-c', 'user.email=docs@example.com'];
  for (const args of [
    ['init', '-q'],
    ['add', 'policies'],
    [...author, 'commit', '-q', '-m', 'policies'],
  ]) {
    expect(await run('git', args, { cwd: dir })).toMatchObject({ code: 0 });
  }
}

async function policiesOf({ dir }: TrialPlace): Promise<string> {
  const names = (await readdir(join(dir, 'policies'))).filter((name) => /\.ya?ml$/.test(name)).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(dir, 'policies', name), 'utf8')));
  return names.map((name, index) => `${name}\n${texts[index]}`).join('\n');
}

/** A refused edit has a line for each problem; more than before is enough to know that it was seen. */
function countReloads(gateway: Program): number {
  return gateway.stdout().split('"event":"policy"').length;
}
