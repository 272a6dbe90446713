/** `npm run bench`: the gateway beside its peers, measured in turns in one run. `--help` says what it can do. */
import { resolve } from 'node:path';
import { buildOf, ownBuild } from './builds.mjs';
import { fill } from './content.mjs';
import { Team, measured } from './measure.mjs';
import { help, readOptions } from './options.mjs';
import { kinds, missing, packages, startBackend, startRedis } from './peers.mjs';
import { cores, goFirst, stayOn } from './processes.mjs';
import { facts, keep, read, told, writePage } from './results.mjs';
import { rows as allRows } from './rows.mjs';
import { printed, printedChanges, printedTargets } from './table.mjs';
import { judged } from './targets.mjs';

const note = (text) => process.stderr.write(`bench: ${text}\n`);

const reading = readOptions(process.argv.slice(2), {
  rows: allRows.map(({ name }) => name),
  peers: Object.keys(kinds),
});
if (!reading.ok) quit(reading.message);
const { options } = reading;
if (options.help) {
  process.stdout.write(help({ rows: allRows, peers: kinds }));
  process.exit(0);
}
const results = options.read === undefined ? await measuredNow() : read(options.read);
const nodeLine = parseInt(results.facts.versions.node);
const targets = judged(results, { nodeLine });
if (options.json) process.stdout.write(`${JSON.stringify({ ...results, targets }, undefined, 1)}\n`);
else show();
if (options.read === undefined) note(`written: ${keep({ ...results, targets })}`);
if (options.write) {
  keep({ ...results, targets }, 'kept');
  await writePage(results, targets);
  note('written: docs/benchmarks.md, bench/results/kept.json');
}
const isWrong = results.rows.some(({ peers }) => Object.values(peers).some(({ problem }) => problem !== undefined));
process.exit(isWrong ? 1 : 0);

function quit(message) {
  note(message);
  process.exit(2);
}

function show() {
  const parts = [told(results.facts), printed(results)];
  if (results.label !== undefined) parts.push(printedChanges(results, results.label));
  const line = nodeLine < 24 ? `targets are set for Node 24, this is ${nodeLine}:\n` : '';
  if (targets.length > 0) parts.push(line + printedTargets(targets));
  process.stdout.write(`${parts.filter((part) => part !== '').join('\n\n')}\n`);
}

/** Says what is not here, and the line that brings it. */
function sayMissing(programs, what) {
  const line = `apt-get install -y ${programs.map((name) => packages[name]).join(' ')}`;
  return `without ${programs.join(' and ')} ${what}: ${line}`;
}

/** The rows and peers that can be measured here. */
function possible() {
  if (process.platform !== 'linux') quit('processor time is read from /proc: this runs on Linux only');
  if (missing(['taskset']).length > 0) quit('without taskset nothing stays on its core: apt-get install -y util-linux');
  const gone = missing(['docker-registry']);
  if (gone.length > 0) quit(sayMissing(gone, 'there is nothing to measure with'));
  const without = (names, needsOf, what) =>
    names.filter((name) => {
      const lacking = missing(needsOf(name));
      if (lacking.length > 0) note(sayMissing(lacking, `${what} ${name} is left out`));
      return lacking.length === 0;
    });
  const needsOfRow = (name) => [allRows.find((row) => row.name === name)?.needs].filter((each) => each !== undefined);
  return {
    rows: without(options.rows, needsOfRow, 'the row'),
    peers: without(options.peers, (name) => kinds[name].needs, 'the peer'),
  };
}

async function measuredNow() {
  const { rows, peers } = possible();
  const node = resolve(options.node);
  const here = cores();
  const own = ownBuild(node);
  const builds = new Map([['', own]]);
  if (options.aa) builds.set('again', own);
  const label = options.compare?.replace(/[^\w.~^-]/g, '-');
  if (label !== undefined) {
    note(`building ${options.compare}`);
    builds.set(label, buildOf(options.compare, node));
  }
  const known = facts({ cores: here, node, commit: own.commit, rounds: options.rounds, seconds: options.seconds });
  stayOn(here.others);
  const isFirst = goFirst(process.pid);
  if (!isFirst) note('only root may go before what else this machine does: keep it quiet');
  /** @type {any} */
  const lab = { cores: here, node, builds };
  const filler = await startBackend(lab);
  await fill(filler.port);
  await filler.program.stop();
  // Started anew: what it remembers of the filling is not what a registry knows.
  lab.backend = await startBackend(lab);
  if (peers.includes('gateway-redis')) lab.redis = await startRedis(lab);
  const everyone = peers.flatMap((name) =>
    name.startsWith('gateway') ? [...builds.keys()].map((of) => (of === '' ? name : `${name}@${of}`)) : [name],
  );
  const { hasCache } = own;
  if (!hasCache) note('this build has no cache.memory: gateway-uncached is the same as gateway');
  const team = new Team(lab);
  const others = label === undefined ? {} : { label, other: builds.get(label)?.commit };
  const sofar = { facts: known, ...others, hasCache, rows: [] };
  const begun = performance.now();
  for (const [index, name] of rows.entries()) {
    const row = allRows.find((each) => each.name === name);
    note(`${name} (${index + 1} of ${rows.length}), after ${((performance.now() - begun) / 1000).toFixed(0)} s`);
    const one = await measured(lab, team, row, { peers: everyone, rounds: options.rounds, seconds: options.seconds });
    if (Object.keys(one.peers).length > 0) sofar.rows.push(one);
    // A run that is stopped keeps what it has.
    keep(sofar);
  }
  return sofar;
}
