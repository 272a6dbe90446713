import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { run } from './support/programs.ts';
import { projectDir } from './support/trial.ts';

/** What a run would hold, asked of the program that runs it. */
async function heldBy(...args: readonly string[]): Promise<readonly string[]> {
  const listed = await run(process.execPath, ['test/run.mjs', '--list', ...args], { cwd: projectDir });
  expect(listed.code, listed.stderr).toBe(0);
  return listed.stdout.split('\n').filter((line) => line !== '');
}

describe('npm test and npm run test:full', () => {
  test('leave nothing out together, and run nothing twice that has one size', async () => {
    const [quick, full, all] = await Promise.all([heldBy(), heldBy('--full'), heldBy('--all')]);
    expect([...new Set([...quick, ...full])].sort()).toEqual(all);
    const both = quick.filter((file) => full.includes(file));
    for (const file of both) expect(readFileSync(join(projectDir, file), 'utf8'), file).toContain('support/size.ts');
    expect(full.length).toBeLessThan(quick.length / 2);
  });

  test('are what vitest finds below test/', async () => {
    const vitest = ['node_modules/vitest/vitest.mjs', 'list', '--filesOnly', '--config', 'test/vitest.config.ts'];
    const found = await run(process.execPath, vitest, { cwd: projectDir });
    expect(
      found.stdout
        .split('\n')
        .filter((line) => line !== '')
        .sort(),
    ).toEqual(await heldBy('--all'));
  });

  test('drive no Docker and no client of registries in the first', async () => {
    for (const file of await heldBy()) {
      const text = readFileSync(join(projectDir, file), 'utf8');
      expect(text, file).not.toMatch(
        /^import [^;]*\b(?:start(?:Docker|Containerd)|create(?:Docker|Ctr|Podman|Buildah|Skopeo|Go)Client)\b/m,
      );
    }
  });

  test.each([
    ['the sum', 0, '3 passed, 1 failed', '4 passed, 0 failed, 2 skipped', '7 passed, 1 failed, 2 skipped'],
    ['a failure, where one says nothing', 1, '3 passed, 0 failed', 'Killed', '3 passed, 1 failed'],
    ['a failure, where one fails', 1, '3 passed, 1 failed; exit 1', '4 passed, 0 failed', '7 passed, 1 failed'],
  ])('are both in .ci/run, whose last line is %s', async (_what, code, first, second, last) => {
    const text = readFileSync(join(projectDir, '.ci/run'), 'utf8');
    const counting = text.slice(text.indexOf('# A missing program is a failure'));
    const said = (line: string): string => `printf '…\n%s\n' '${line.replace('; exit 1', '')}'`;
    const npm = `npm() { if [ "$*" = test ]; then ${said(first)}; else ${said(second)}; fi; }`;
    const failing = first.endsWith('exit 1') ? npm.replace('; else', '; return 1; else') : npm;
    const script = ['set -euo pipefail', 'log=$(mktemp)', failing, counting].join('\n');
    const ended = await run('bash', ['-c', script]);
    expect(ended.stdout.trimEnd().split('\n').at(-1)).toBe(last);
    expect(ended.code).toBe(code);
    expect(ended.stdout).toContain('ci: npm test\n');
    expect(ended.stdout).toContain('ci: npm run test:full\n');
  });

  test('are what package.json calls so', () => {
    const manifest = parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(manifest.scripts).toMatchObject({ test: 'node test/run.mjs', 'test:full': 'node test/run.mjs --full' });
  });
});
