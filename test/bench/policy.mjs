/**
 * `npm run bench:policy`: what one decision costs and how that grows with the number of rules; compile time and memory.
 * Prints figures, asserts nothing. Sizes are run in turns, several rounds, best round shown: machines are noisy.
 */
import { compilePolicy } from '../../build/policy/evaluate.js';
import { rights } from '../../build/policy/model.js';
import { parseRepositoryPattern } from '../../build/policy/pattern.js';

const rounds = 7;
const decisionsPerRound = 200_000;
const source = { file: 'bench', line: 1, column: 1 };

/** `count` rules over 1,000 patterns of the shapes that people write, for `accounts` users in 50 groups. */
function makePolicy(count) {
  const shapes = [
    (n) => `team-${n}/**`,
    (n) => `team-${n}/app-*`,
    (n) => `area-${n % 50}/team-${n}/*/release`,
    (n) => `product-${n}-*/**`,
    (n) => `mirror/**/lib-${n}`,
  ];
  const patterns = Array.from({ length: 1000 }, (_, n) => parseRepositoryPattern(shapes[n % shapes.length](n)));
  const groups = new Map(Array.from({ length: 50 }, (_, n) => [`g${n}`, { name: `g${n}`, source }]));
  const users = new Map(
    Array.from({ length: 1000 }, (_, n) => [
      `u${n}`,
      { name: `u${n}`, groups: principals[n].groups, disabled: false, source },
    ]),
  );
  const rules = Array.from({ length: count }, (_, n) => ({
    name: `rule-${n}`,
    effect: n % 10 === 9 ? 'deny' : 'allow',
    mode: 'enforce',
    subjects: [subjectOf(n)],
    except: [],
    repositories: [patterns[n % 1000]],
    rights: n % 2 === 0 ? rights.pull : rights.pull | rights.create | rights.overwrite,
    ...(n % 20 === 19 ? { tags: [{ text: 'v*', pieces: [{ literal: 'v' }, 'star'] }] } : {}),
    source,
  }));
  return { users, robots: new Map(), workloads: new Map(), groups, rules, tests: [], limits: [], gates: [] };
}

/** Spread so that the rules of one pattern are about different subjects: nothing folds together. */
function subjectOf(n) {
  const mixed = (Math.imul(n, 2_654_435_761) >>> 8) % 3000;
  return mixed < 1000 ? { kind: 'user', name: `u${mixed}` } : { kind: 'group', name: `g${mixed % 50}` };
}

const repositories = Array.from(
  { length: 1000 },
  (_, n) =>
    [
      `team-${n}/app-${n % 7}`,
      `area-${n % 50}/team-${n}/x/release`,
      `product-${n}-web/api/core`,
      `mirror/a/b/lib-${n}`,
      `nobody/knows/${n}`,
    ][n % 5],
);
// As a source of identity gives them: the same object for the same account.
const principals = Array.from({ length: 1000 }, (_, n) => ({
  kind: 'user',
  name: `u${n}`,
  groups: [`g${n % 50}`, `g${(n * 7 + 1) % 50}`],
}));
const questions = Array.from({ length: 4096 }, (_, n) => ({
  principal: principals[(n * 31) % 1000],
  action: n % 2 === 0 ? 'pull' : 'push',
  repository: repositories[(n * 17) % 1000],
  ...(n % 4 === 0 ? { tag: 'v1.2.3' } : {}),
  now: 1_800_000_000_000,
}));

// As a list asks: sorted names in a few areas, all of one viewer.
const listed = Array.from({ length: 10_000 }, (_, n) => `team-${n % 40}/app-${String(n).padStart(5, '0')}`).sort();

function runList(compiled) {
  const [principal] = principals;
  const begin = process.hrtime.bigint();
  for (const repository of listed) compiled.decide({ principal, action: 'pull', repository, now: 1_800_000_000_000 });
  return Number(process.hrtime.bigint() - begin) / listed.length;
}

function run(compiled) {
  let allowed = 0;
  const begin = process.hrtime.bigint();
  for (let n = 0; n < decisionsPerRound; n++) if (compiled.decide(questions[n & 4095]).allowed) allowed++;
  return { nanoseconds: Number(process.hrtime.bigint() - begin) / decisionsPerRound, allowed };
}

const sizes = [100, 1000, 10_000, 100_000].map((count) => {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const policy = makePolicy(count);
  globalThis.gc?.();
  const parsed = process.memoryUsage().heapUsed;
  const begin = performance.now();
  const compiled = compilePolicy(policy);
  const compileMs = performance.now() - begin;
  globalThis.gc?.();
  const heap = process.memoryUsage().heapUsed;
  return {
    count,
    compiled,
    compileMs,
    ruleMib: (parsed - before) / 2 ** 20,
    indexMib: (heap - parsed) / 2 ** 20,
    best: Infinity,
    worst: 0,
    list: Infinity,
    allowed: 0,
  };
});
for (let round = 0; round < rounds; round++) {
  for (const size of sizes) {
    const { nanoseconds, allowed } = run(size.compiled);
    size.best = Math.min(size.best, nanoseconds);
    size.worst = Math.max(size.worst, nanoseconds);
    size.list = Math.min(size.list, runList(size.compiled));
    size.allowed = allowed / decisionsPerRound;
  }
}

console.log(`node ${process.version}, ${rounds} rounds of ${decisionsPerRound} decisions, 1000 patterns`);
console.log('rules     best ns  worst ns  list ns  allowed  compile ms  rules MiB  index MiB');
for (const { count, best, worst, list, allowed, compileMs, ruleMib, indexMib } of sizes) {
  const columns = [
    count,
    best.toFixed(0),
    worst.toFixed(0),
    list.toFixed(0),
    `${(allowed * 100).toFixed(0)} %`,
    compileMs.toFixed(0),
    ruleMib.toFixed(1),
    indexMib.toFixed(1),
  ];
  console.log(columns.map((text, n) => String(text).padEnd([10, 9, 10, 9, 9, 12, 11, 9][n])).join(''));
}
const [, , ten, hundred] = sizes;
console.log(`growth from 10,000 to 100,000 rules: ${(hundred.best / ten.best).toFixed(2)} times`);
