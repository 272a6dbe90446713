/**
 * `npm run bench:reload`: how long a running gateway's event loop is held up while 5,000 changed rules are read, compiled
 * and put into force. Prints figures, asserts nothing.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPolicy } from '../../build/adapters/files/policy-loading.js';
import { followPolicyFiles } from '../../build/adapters/files/policy-source.js';

const ruleCount = 5000;
const reloads = 8;
const dir = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));

function policyText(revision) {
  const groups = Array.from({ length: 50 }, (_, n) => `  g${n}: {}`);
  const rules = Array.from(
    { length: ruleCount },
    (_, n) =>
      `  - { name: rule-${n}-${revision}, subjects: [group:g${n % 50}], repositories: ["team-${n % 1000}/app-${n}/**"], actions: [pull, push] }`,
  );
  return ['groups:', ...groups, 'rules:', ...rules, ''].join('\n');
}

const write = (revision) => writeFileSync(join(dir, 'policy.yaml'), policyText(revision));

write(0);
const first = await loadPolicy([dir], Date.now());
if (!first.ok) throw new Error(JSON.stringify(first.problems[0]));
let reloaded = () => {};
const source = followPolicyFiles(first.loaded, {
  paths: [dir],
  clock: Date.now,
  onReload: (result) => reloaded(result),
});
await new Promise((resolve) => setTimeout(resolve, 500));

console.log(`node ${process.version}, ${ruleCount} rules, ${(policyText(0).length / 1024).toFixed(0)} KiB`);
for (let revision = 1; revision <= reloads; revision++) {
  let longest = 0;
  let last = performance.now();
  const ticker = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  const begin = performance.now();
  const done = new Promise((resolve) => (reloaded = resolve));
  write(revision);
  const { ok } = await done;
  clearInterval(ticker);
  console.log(
    `reload ${revision}: ${ok ? 'in force' : 'refused'} after ${(performance.now() - begin).toFixed(0)} ms, longest hold-up ${longest.toFixed(1)} ms`,
  );
}
source.close();
rmSync(dir, { recursive: true });
