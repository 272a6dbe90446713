/**
 * `npm run bench:audit -- --gb 5`: what a record costs in audit files beside its text, and how long verifying and asking take
 * over half a gigabyte and over all of them, with the memory they need. Default: 0.5 GB, below the temporary directory.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { join } from 'node:path';
import { openAuditWriter } from '../../build/adapters/audit/writer.js';
import { keepPublicKey } from '../../build/adapters/audit/beside.js';
import { checkpointType } from '../../build/audit/chain.js';
import { fieldsText } from '../../build/audit/plain-record.js';
import { readKeySet } from '../../build/audit/checkpoint.js';
import { signCompact } from '../../build/token/signature.js';

const { values } = parseArgs({ options: { gb: { type: 'string', default: '0.5' } } });
const gigabytes = Number(values.gb);
const directory = mkdtempSync(join(tmpdir(), 'portcullis-bench-audit-'));
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'ES256' };
const kid = readKeySet(JSON.stringify({ keys: [jwk] }))?.[0]?.kid ?? '';
/** @type {import('../../src/ports.ts').TokenKey} */
const key = { kid, algorithm: 'ES256', privateKey, publicKey };

/** @param {number} n @returns {import('../../src/ports.ts').AuditRecord} */
const record = (n) => ({
  event: 'access',
  decision: n % 20 === 0 ? 'deny' : 'allow',
  reason: n % 20 === 0 ? 'no_rule' : 'rule_allows',
  rule: 'developers-push-their-area',
  source: 'policies/10-developers.yaml:12',
  account: `dev-${n % 300}`,
  kind: 'user',
  method: 'access-token',
  route: 'manifest',
  repository: `integration/team-${n % 40}/service-${n % 700}`,
  action: 'pull',
  reference: `v1.${n % 9000}`,
  digest: `sha256:${'0123456789abcdef'.repeat(4)}`,
  address: '10.20.30.40',
  userAgent: 'docker/29.3.1 go/go1.26.1 git-commit/f78c987 kernel/6.12 os/linux arch/amd64',
  requestId: '7c9ffa11-7f0e-4a47-b2b5-6f6f8b1d0a6c',
  status: 200,
  bytes: 2183,
  durationMs: 3,
});

/** @param {string} name @param {string} value */
const say = (name, value) => process.stdout.write(`${name.padEnd(44)} ${value}\n`);

let now = Date.UTC(2026, 10, 1);
const writer = await openAuditWriter({
  ...{ directory, name: 'bench', keepMs: 1e13, isChained: true, maxWaiting: 1e9 },
  clock: () => now,
  onTrouble: (what) => say('trouble', JSON.stringify(what)),
});
await keepPublicKey(directory, key);
writer.signBy(async (signed) => ({ kid, jws: await signCompact(key, signed, checkpointType) }));
const texts = Array.from({ length: 9000 }, (_, n) => fieldsText(record(n)));
let lines = 0;
const sizeOf = () => readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

/** @param {number} bytes of all files */
async function growTo(bytes) {
  const [before, first] = [process.cpuUsage(), lines];
  for (; lines % 5000 !== 0 || sizeOf() < bytes; lines++) {
    now += 2;
    writer.recordText(texts[lines % texts.length] ?? '');
    if (lines % 5000 === 4999) await writer.intend({ ...record(lines), event: 'intent' });
  }
  const { user, system } = process.cpuUsage(before);
  say('processor time a record, beside its text', `${((user + system) / (lines - first)).toFixed(2)} µs`);
  const size = sizeOf();
  say('files', `${(size / 1e9).toFixed(2)} GB, ${lines} lines, ${(size / lines).toFixed(0)} bytes a line`);
}

/** @param {string} title @param {readonly string[]} args */
async function measure(title, args) {
  const began = performance.now();
  const child = spawn(process.execPath, ['dist/cli.js', 'audit', ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  let peak = 0;
  const timer = setInterval(() => {
    try {
      peak = Math.max(
        peak,
        Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))?.[1] ?? 0),
      );
    } catch {
      // It has ended.
    }
  }, 50);
  const [code] = /** @type {[number]} */ (await once(child, 'exit'));
  clearInterval(timer);
  const seconds = (performance.now() - began) / 1000;
  say(
    title,
    `${seconds.toFixed(1)} s (${Math.round(lines / seconds / 1000)},000 lines/s), ${Math.round(peak / 1024)} MB, exit ${code}`,
  );
}

for (const gb of gigabytes > 0.5 ? [0.5, gigabytes] : [gigabytes]) {
  await growTo(gb * 1e9);
  await measure('verify', ['verify', directory]);
  await measure('query --account, few lines', ['query', directory, '--account', 'dev-17', '--json']);
  await measure('query --decision deny', ['query', directory, '--decision', 'deny']);
  await measure('query --unfinished', ['query', directory, '--unfinished']);
}
await writer.close();
rmSync(directory, { recursive: true });
