/**
 * `npm run bench:replay`: lines a second of `portcullis replay`, by the policies that come along and by 5,000 rules, with and
 * without a base, and what memory that takes. Prints figures, asserts nothing. The best of some rounds: machines are noisy.
 */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { linesOf } from '../../build/adapters/files/audit-files.js';
import { parsePolicy } from '../../build/policy/files/parse.js';
import { createReplay } from '../../build/replay/replay.js';
import { Judge } from '../../build/replay/standing.js';

const rounds = 3;
const lineCount = 300_000;
const shipped = ['areas', 'gates', 'limits', 'people'].map((name) => readFileSync(`policies/${name}.yaml`, 'utf8'));

function policyOf(...texts) {
  const reading = parsePolicy(texts.map((text, at) => ({ file: `${at}.yaml`, text })));
  if (!reading.ok) throw new Error(reading.problems.map(({ message }) => message).join('\n'));
  return reading.policy;
}

/** As a gateway writes them: mostly pulls, of a thousand repositories. */
function* lines() {
  const people = ['dana', 'theo', 'rita', 'acme', 'builder'];
  const areas = ['sandbox', 'integration', 'release', 'people/dana'];
  const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
  for (let at = 0; at < lineCount; at++) {
    const repository = `${areas[at % 4]}/team-${at % 50}/app-${(at >> 3) % 20}`;
    const kind = at % 20;
    const what =
      kind < 8
        ? { httpMethod: 'GET', route: 'manifest', action: 'pull', reference: `1.${at % 30}` }
        : kind < 16
          ? { httpMethod: 'GET', route: 'blob', action: 'pull', digest }
          : kind === 16
            ? { httpMethod: 'PUT', route: 'manifest', action: 'push', reference: `build-${at % 100}`, writes: 'create' }
            : kind === 17
              ? { httpMethod: 'PATCH', route: 'upload', action: 'push', reference: 'PATCH upload' }
              : kind === 18
                ? { httpMethod: 'DELETE', route: 'manifest', action: 'delete', reference: 'old' }
                : { httpMethod: 'GET', route: 'tags', action: 'pull' };
    const time = new Date(Date.UTC(2026, 10, 20) + at * 2000).toISOString();
    yield `${JSON.stringify({
      level: 'info',
      time,
      ...{ event: 'access', decision: 'allow', reason: 'rule_allows', rule: 'developers-share-sandbox' },
      ...{ source: 'policies/areas.yaml:38', account: people[(at >> 5) % 5], kind: 'user', method: 'access-token' },
      ...{
        session: 'k3v9x2ma8',
        ...what,
        repository,
        address: '10.1.2.3',
        userAgent: 'docker/27.3.1 go/go1.22.7 git-commit/41ca978',
      },
      ...{ requestId: '6a2c4e6f-0f0e-4a44-b0a3-3f2d4c5b6a79', traceId: '4bf92f3577b34da6a3ce929d0e0e4736' },
      ...{ policy: '0123456789ab', status: 200, bytes: 1234, durationMs: 4 },
    })}\n`;
  }
}

function writeLines(path) {
  const target = openSync(path, 'w');
  let bytes = 0;
  for (const line of lines()) bytes += writeSync(target, line);
  closeSync(target);
  return bytes;
}

async function run(file, next, base) {
  const began = { at: performance.now(), cpu: process.cpuUsage() };
  const before = base && new Judge(base);
  const replay = createReplay({
    next: new Judge(next, base),
    base: before,
    revision: 'next',
    since: undefined,
    at: undefined,
  });
  let highest = 0;
  let batches = 0;
  for await (const batch of linesOf(file, 'oldest')) {
    for (const { bytes } of batch) replay.add(bytes, () => '');
    if (++batches % 50 === 0) highest = Math.max(highest, process.memoryUsage.rss());
  }
  const result = replay.result();
  const { user, system } = process.cpuUsage(began.cpu);
  return { seconds: (performance.now() - began.at) / 1000, cpu: (user + system) / 1e6, highest, result };
}

const dir = mkdtempSync(join(tmpdir(), 'portcullis-bench-'));
try {
  const bytes = writeLines(join(dir, 'plain'));
  writeFileSync(join(dir, 'packed'), gzipSync(readFileSync(join(dir, 'plain'))));
  const fileOf = (name) => ({ path: join(dir, name), name, day: '', instance: '', isPacked: name === 'packed' });
  const shippedPolicy = policyOf(...shipped);
  const many = Array.from(
    { length: 5000 },
    (_, at) =>
      `  - { name: r${at}, subjects: [group:developers], repositories: ["area-${at % 1000}/team-${at}/**"], actions: [pull, push] }\n`,
  ).join('');
  const large = policyOf(...shipped, `rules:\n${many}`);
  const narrower = policyOf(
    shipped[0].replace('actions: [pull, push, delete, catalog]', 'actions: [pull, catalog]'),
    ...shipped.slice(1),
  );
  console.log(`${lineCount} lines, ${Math.round(bytes / lineCount)} bytes each, best of ${rounds}\n`);
  for (const [what, name, next, base] of [
    ['same policies, as recorded', 'plain', shippedPolicy, undefined],
    ['same policies, packed', 'packed', shippedPolicy, undefined],
    ['an edit', 'plain', narrower, undefined],
    ['an edit, with --base', 'plain', narrower, shippedPolicy],
    ['5,000 rules more, with --base', 'plain', large, shippedPolicy],
  ]) {
    let best = { seconds: Infinity };
    for (let round = 0; round < rounds; round++) {
      const each = await run(fileOf(name), next, base);
      if (each.seconds < best.seconds) best = each;
    }
    const perSecond = Math.round(lineCount / best.seconds);
    console.log(
      `${what.padEnd(32)} ${perSecond.toLocaleString('en').padStart(9)} lines/s  ${Math.round(lineCount / best.cpu)
        .toLocaleString('en')
        .padStart(9)} a second of processor time  ${(best.highest / 1_048_576).toFixed(0)} MiB  ` +
        `${best.result.judged} judged, ${best.result.lost.length} rows lost, ${best.result.gained.length} gained`,
    );
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
