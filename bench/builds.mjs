/** Builds of the gateway that are measured: this checkout, and another commit in a worktree for the time of the run. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const git = (...args) =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

/**
 * @typedef {{ dir: string, commit: string, start: string, hasCache: boolean }} Build
 * `start`: the command of its `npm start`; `hasCache`: whether it knows `cache.memory`.
 */

/**
 * What is built in that directory, run by that Node.
 * @param {string} dir
 * @param {string} node
 * @returns {Build}
 */
function builtIn(dir, node, commit) {
  const { scripts } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
  const schema = execFileSync(node, [join(dir, 'dist/cli.js'), 'schema', 'config'], { encoding: 'utf8' });
  return { dir, commit, start: scripts.start, hasCache: 'cache' in JSON.parse(schema).properties };
}

/**
 * This checkout, built before.
 * @param {string} node
 */
export function ownBuild(node) {
  const changed = git('status', '--porcelain', '--', 'src', 'package.json') === '' ? '' : ' and changes';
  return builtIn(root, node, git('rev-parse', '--short=12', 'HEAD') + changed);
}

/**
 * Another commit; its worktree goes when this process does. Throws when there is no such commit or it does not build.
 * @param {string} ref
 * @param {string} node
 */
export function buildOf(ref, node) {
  const commit = git('rev-parse', '--short=12', '--verify', `${ref}^{commit}`);
  const dir = join(mkdtempSync(join(tmpdir(), 'portcullis-bench-build-')), 'other');
  process.once('exit', () => {
    try {
      git('worktree', 'remove', '--force', dir);
    } catch {
      // It was never made.
    }
    rmSync(dirname(dir), { recursive: true, force: true });
  });
  git('worktree', 'add', '--detach', dir, commit);
  const lock = (of) => readFileSync(join(of, 'package-lock.json'), 'utf8');
  if (lock(dir) === lock(root)) symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
  else execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
  return builtIn(dir, node, commit);
}
