/**
 * `npm run bench:access`: what the page Access costs with 5,000 users and 1,000 rules, and how
 * long the longest slice is in which nothing else has its turn. By the clock, since kernels count the processor in ticks
 * of 4 ms: on a quiet machine. Prints figures, asserts nothing.
 */
import { accessOperation } from '../../build/operations/access.js';
import { compilePolicy } from '../../build/policy/evaluate.js';
import { parsePolicy } from '../../build/policy/files/parse.js';

const rounds = 15;
const groups = 50;
const pick = (n, size) =>
  Math.imul(n + 1, 2_654_435_761) >>> 8 > 0 ? (Math.imul(n + 1, 2_654_435_761) >>> 8) % size : 0;

/** A tenth of the rules speaks of the repository that is asked about; `all`: each of them does. */
function policyOf(all) {
  const groupNames = Array.from({ length: groups }, (_, n) => `g${n}`);
  const users = Object.fromEntries(
    Array.from({ length: 5000 }, (_, n) => [
      `u${n}`,
      { groups: [...new Set([`g${pick(n, groups)}`, `g${(pick(n, groups) + 1 + (n % 4)) % groups}`])] },
    ]),
  );
  const rules = Array.from({ length: 1000 }, (_, n) => ({
    name: `rule-${n}`,
    effect: n % 10 === 9 ? 'deny' : 'allow',
    subjects: [n % 97 === 0 ? 'authenticated' : `group:g${pick(n * 3, groups)}`],
    repositories: [all || n % 10 === 3 || n % 100 === 9 ? 'team-1/**' : `team-${n}/**`],
    actions: n % 3 === 0 ? ['pull', 'push', 'catalog'] : n % 3 === 1 ? ['pull', 'promote'] : ['pull', 'delete'],
    ...(n % 20 === 13 ? { tags: ['v*'] } : {}),
    ...(n % 50 === 23 ? { when: { days: ['sat'] } } : {}),
  }));
  const tests = Array.from({ length: 200 }, (_, n) => ({
    name: `test ${n}`,
    as: `group:g${n % groups}`,
    allow: undefined,
    deny: [`delete nowhere/${n}`],
  }));
  const text = JSON.stringify({
    groups: Object.fromEntries(groupNames.map((name) => [name, {}])),
    users,
    rules,
    tests,
  });
  const reading = parsePolicy([{ file: 'bench.yaml', text }]);
  if (!reading.ok) throw new Error(reading.problems[0].message);
  return compilePolicy(reading.policy);
}

/** The longest time between two turns of the event loop, beside a ticker that always wants one. */
async function measured(work) {
  let longest = 0;
  let last = performance.now();
  let running = true;
  const tick = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (running) setImmediate(tick);
  };
  setImmediate(tick);
  await new Promise((resolve) => setImmediate(resolve));
  longest = 0;
  const begun = performance.now();
  await work();
  const ms = performance.now() - begun;
  await new Promise((resolve) => setImmediate(resolve));
  running = false;
  return { ms, longest };
}

const now = Date.parse('2026-06-03T12:00:00Z');
const questions = {
  'the matrix': { repository: 'team-1/app' },
  'one refused, and what would allow it': { repository: 'team-1/app', tag: 'v1', as: 'user:u17', action: 'delete' },
};
const upstreams = { canonical: (name) => name, of: () => ({ access: 'read-write' }) };
console.log(`node ${process.version}, 5,000 users in ${groups} groups, 1,000 rules, ${rounds} rounds`);
for (const all of [false, true]) {
  const compiled = policyOf(all);
  const viewer = { kind: 'operator', policy: compiled, circumstances: { now } };
  const parts = {
    policies: { current: () => compiled },
    recent: { list: () => [], since: () => 0 },
    clock: () => now,
    upstreams,
  };
  for (const [what, input] of Object.entries(questions)) {
    const times = [];
    const slices = [];
    let rows = 0;
    for (let round = 0; round < rounds; round++) {
      const { ms, longest } = await measured(async () => {
        const outcome = await accessOperation.run(parts, viewer, input);
        rows = outcome.answer.rows.length + outcome.answer.moreRows;
      });
      times.push(ms);
      slices.push(longest);
    }
    times.sort((a, b) => a - b);
    slices.sort((a, b) => a - b);
    const middle = Math.floor(rounds / 2);
    console.log(
      `${what}, ${all ? 'all 1,000' : '110'} rules speak of it, ${rows} rows: median ${times[middle].toFixed(0)} ms, worst ${times.at(-1).toFixed(0)} ms; longest slice median ${slices[middle].toFixed(1)} ms, worst ${slices.at(-1).toFixed(1)} ms`,
    );
  }
}
