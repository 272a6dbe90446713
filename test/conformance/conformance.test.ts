import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunResult, run } from '../support/programs.ts';
import { makeTempDir, removeTempDir } from '../support/temp-dir.ts';

const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

let dir = '';
beforeAll(async () => {
  dir = await makeTempDir('compare');
});
afterAll(() => removeTempDir(dir));

/** Both suites' ways of saying it. */
const passed = (name: string): string =>
  `<testcase name="${name}" status="passed"><system-err>log</system-err></testcase>`;
const failed = (name: string, why: string): string =>
  `<testcase name="${name}" status="failure"><system-out>${why}</system-out></testcase>`;
const passedBare = (name: string): string => `<testcase name="${name}" classname="c"></testcase>`;
const failedElement = (name: string, why: string): string =>
  `<testcase name="${name}" classname="c"><failure type="Failure">${why}</failure></testcase>`;
const skippedElement = (name: string): string =>
  `<testcase name="${name}"><skipped>you skipped it</skipped></testcase>`;

async function compare(direct: readonly string[], gateway: readonly string[]): Promise<RunResult> {
  const paths = [join(dir, 'direct.xml'), join(dir, 'gateway.xml')] as const;
  const report = (tests: readonly string[]): string =>
    `<testsuites><testsuite>${tests.join('\n')}</testsuite></testsuites>`;
  await writeFile(paths[0], report(direct));
  await writeFile(paths[1], report(gateway));
  return run(process.execPath, [script('compare.mjs'), ...paths]);
}

describe('two reports of one suite', () => {
  test('that say the same are no difference, in whatever order, and failures in common are none', async () => {
    const tests = [passed('push'), failed('list', 'no tags'), passed('push'), skippedElement('mount')];
    const { code, stdout } = await compare(tests, tests.toReversed());
    expect(stdout).toContain('directly: 2 passed, 1 failed, 1 skipped\ngateway:  2 passed, 1 failed, 1 skipped\n');
    expect(stdout).toContain('difference: none\n');
    expect(code).toBe(0);
  });

  test.each([
    ['fails', failed('put &lt;a&gt;', 'expected 201,&#xA;received &#34;401&#34;')],
    ['fails, in the words of the earlier suite', failedElement('put &lt;a&gt;', 'expected 201,&#xA;received "401"')],
  ])('name the test that %s through the gateway alone, with the reason', async (_how, worse) => {
    const { code, stdout } = await compare([passedBare('put &lt;a&gt;'), passed('get')], [worse, passed('get')]);
    expect(stdout).toContain('difference: 1\n  put <a>\n    directly: 1 passed, 0 failed, 0 skipped\n');
    expect(stdout).toContain('      expected 201,\n      received "401"\n');
    expect(code).toBe(1);
  });

  test.each([
    ['skips', [passed('get'), skippedElement('mount')]],
    ['never runs', [passed('get')]],
    ['runs fewer times', [passed('get'), passed('mount')]],
  ])('name the test that the gateway side %s', async (_how, gateway) => {
    const { code, stdout } = await compare([passed('get'), passed('mount'), passed('mount')], gateway);
    expect(stdout).toContain('difference: 1\n  mount\n');
    expect(code).toBe(1);
  });

  test('mention what is better through the gateway and do not hold it against it', async () => {
    const { code, stdout } = await compare(
      [failed('bad digest', '500'), passed('get')],
      [passed('bad digest'), passed('get')],
    );
    expect(stdout).toContain('difference: none; 1 better through the gateway\n  better: bad digest\n');
    expect(code).toBe(0);
  });
});

describe('npm run conformance', () => {
  test('says that Go is missing, with an exit code of its own', async () => {
    const { code, stdout } = await run(process.execPath, [script('run.mjs')], { env: { GO: join(dir, 'no-go') } });
    expect(stdout).toContain('conformance: not run: there is no Go on PATH');
    expect(code).toBe(2);
  });

  test('says which registries it knows', async () => {
    const { code, stderr } = await run(process.execPath, [script('run.mjs'), '--registry', 'harbor']);
    expect(stderr).toContain('there is no registry "harbor"');
    expect(stderr).toContain('distribution2|distribution3|olareg');
    expect(code).toBe(2);
  });
});
