/**
 * `npm test [-- FILTER…]`: builds, type-checks the tests beside the run, runs vitest once and closes with
 * `N passed, N failed[, N skipped]` as the very last line. `--full` (`npm run test:full`) runs what is large instead,
 * `--all` both together; `--list` prints the files and runs none.
 *
 * A skipped test says why. With PORTCULLIS_TEST_REQUIRE=all a skip is a failure, so no run is green by leaving things out;
 * PORTCULLIS_TEST_WITHOUT lists the programs that it may do without.
 */
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseCLI, startVitest } from 'vitest/node';
import { testFiles } from './selection.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const everythingRequired = process.env.PORTCULLIS_TEST_REQUIRE === 'all';
const totals = { passed: 0, failed: 0, skipped: 0 };
/** What the closing line alone does not explain, printed just above it. */
const notes = [];

const own = ['--full', '--all', '--list'];
const given = process.argv.slice(2);
const isFull = given.includes('--full') || given.includes('--all');
const files = testFiles(given.includes('--all') ? 'all' : isFull ? 'full' : 'quick');
if (given.includes('--list')) {
  process.stdout.write(files.map((file) => `${file}\n`).join(''));
  process.exit(0);
}
process.env.PORTCULLIS_TEST_SIZE = isFull ? 'full' : 'small';

// On exit, so that nothing of vitest's own farewell can follow it.
process.on('exit', (code) => {
  if (totals.passed + totals.failed === 0) {
    notes.push(
      'no test ran; `npm test` has no *.full.test.ts, `npm run test:full` little else, and each passes filters on',
    );
  }
  const failed = code !== 0 || totals.failed > 0 || totals.passed === 0;
  const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : '';
  writeSync(1, ['', ...notes, `${totals.passed} passed, ${totals.failed} failed${skipped}`, ''].join('\n'));
  process.exitCode = failed ? code || 1 : 0;
});

let built = await program('node_modules/typescript/bin/tsc', '-p', 'tsconfig.json');
if (built.ok) built = await program('bundle.mjs');
if (!built.ok) {
  process.stdout.write(built.output);
  fail('the build failed, so no test ran');
  process.exit(1);
}

const typeCheck = program('node_modules/typescript/bin/tsc', '-p', 'test/tsconfig.json');
const { filter, options } = parseCLI(['vitest', 'run', ...given.filter((each) => !own.includes(each))]);
const vitest = await startVitest('test', filter, {
  ...options,
  root,
  config: fileURLToPath(new URL('vitest.config.ts', import.meta.url)),
  include: files,
  watch: false,
  reporters: ['default', { onTestRunEnd: count }],
});
await vitest.close();

const types = await typeCheck;
if (!types.ok) {
  process.stdout.write(`\n${types.output}`);
  fail('the tests do not type-check');
}
process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1);

function count(modules, unhandledErrors) {
  const skips = new Map();
  let required = 0;
  for (const module of modules) {
    let failedTests = 0;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') totals.passed += 1;
      else if (state === 'skipped') {
        const { reason, isExcused } = skipOf(test);
        skips.set(reason, (skips.get(reason) ?? 0) + 1);
        if (everythingRequired && !isExcused) required += 1;
        else totals.skipped += 1;
      } else failedTests += 1;
    }
    // A file that cannot be loaded and a hook that throws have no failed test of their own.
    if (failedTests === 0 && module.state() === 'failed') fail(`${module.relativeModuleId}: failed outside its tests`);
    totals.failed += failedTests;
  }
  for (const error of unhandledErrors) fail(`unhandled: ${error.message}`);
  for (const [reason, tests] of skips) {
    notes.push(`skipped ${tests} ${tests === 1 ? 'test' : 'tests'}: ${reason}`);
  }
  totals.failed += required;
  if (required > 0) notes.push(`PORTCULLIS_TEST_REQUIRE=all: ${required} of them count as failed`);
}

function skipOf(test) {
  const { note } = test.result();
  if (note !== undefined) return { reason: note, isExcused: false };
  const own = test.meta();
  if (own.skipped !== undefined) return { reason: own.skipped, isExcused: own.isExcused };
  for (let suite = test.parent; suite.type === 'suite'; suite = suite.parent) {
    const { skipped, isExcused } = suite.meta();
    if (skipped !== undefined) return { reason: skipped, isExcused };
  }
  return { reason: `no reason given (${test.module.relativeModuleId})`, isExcused: false };
}

function fail(note) {
  totals.failed += 1;
  notes.push(note);
}

function program(...args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: root });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    child.on('close', (code) => resolve({ ok: code === 0, output: Buffer.concat(chunks).toString() }));
  });
}
