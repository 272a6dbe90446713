/** Results as files: one a run, and the one that the documentation shows. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { root } from './builds.mjs';
import { found } from './processes.mjs';
import { documented, documentedTargets } from './table.mjs';

const folder = join(root, 'bench/results');
const page = join(root, 'docs/benchmarks.md');
const begin = '<!-- bench: written by `npm run bench -- --write` -->';
const end = '<!-- end of bench -->';

/** What a program says of its version, the first number in it. */
function version(name, ...args) {
  const program = found(name);
  if (program === undefined) return undefined;
  try {
    // Some print it as an error.
    const said = execFileSync('sh', ['-c', `"$0" "$@" 2>&1; true`, program, ...args], { encoding: 'utf8' });
    return /\d+\.\d+(?:\.\d+)?/.exec(said)?.[0];
  } catch {
    return undefined;
  }
}

/**
 * Machine, versions and how it was measured.
 * @param {{ cores: { measured: number, others: number }, node: string, commit: string, rounds: number, seconds: number }} run
 */
export function facts({ cores, node, commit, rounds, seconds }) {
  const nodeVersion = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim().slice(1);
  return {
    when: new Date().toISOString().slice(0, 16),
    commit,
    machine: `${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}`,
    pinned:
      cores.measured === cores.others
        ? 'everything on one core'
        : `measured process on core ${cores.measured}, everything else on core ${cores.others}`,
    rounds,
    seconds,
    loadAverage: Number(loadavg()[0].toFixed(2)),
    versions: {
      node: nodeVersion,
      'docker-registry': version('docker-registry', '--version'),
      nginx: version('nginx', '-v'),
      redis: version('redis-server', '--version'),
      wrk: version('wrk', '-v'),
    },
  };
}

/**
 * The facts as two sentences.
 * @param {any} facts
 */
export function told({ when, commit, machine, pinned, rounds, seconds, loadAverage, versions }) {
  const programs = Object.entries(versions)
    .filter(([, number]) => number !== undefined)
    .map(([name, number]) => `${name} ${number}`);
  return `${when} UTC, commit ${commit}; ${machine}; ${pinned}; ${rounds} rounds of ${seconds} s in turns; load average before ${loadAverage}. ${programs.join(', ')}.`;
}

/** Four digits say all that a measurement does. */
const lean = (_, value) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value);

/**
 * Writes the results of a run and returns the file's path.
 * @param {any} results
 */
export function keep(results, name = results.facts.when.replaceAll(':', '')) {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.json`);
  writeFileSync(file, `${JSON.stringify(results, lean, 1)}\n`);
  return file;
}

/**
 * Results of several runs as one; of a row that two have, the later. The facts are those of the last.
 * @param {readonly string[]} files
 */
export function read(files) {
  const all = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
  const rows = new Map(all.flatMap(({ rows }) => rows.map((row) => [row.name, row])));
  return { ...all[all.length - 1], rows: [...rows.values()] };
}

/**
 * Puts the tables between the marks of docs/benchmarks.md.
 * @param {any} results
 * @param {readonly any[]} targets
 */
export async function writePage(results, targets) {
  const text = readFileSync(page, 'utf8');
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from === -1 || to === -1) throw new Error(`${page} has no place for the table, between ${begin} and ${end}`);
  const parts = [begin, told(results.facts), documented(results)];
  if (targets.length > 0) parts.push(documentedTargets(targets));
  const whole = `${text.slice(0, from)}${parts.join('\n\n')}\n\n${text.slice(to)}`;
  const { format, resolveConfig } = await import('prettier');
  const style = await resolveConfig(page);
  writeFileSync(page, await format(whole, { ...style, filepath: page }));
}
