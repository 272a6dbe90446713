/**
 * `npm run conformance [-- --registry NAME | --url URL] [--out DIR]`: the conformance suites of the OCI distribution-spec
 * against a registry, directly and through the gateway. Prints both results and every test that ends differently.
 *
 * Exit code 0: nothing is worse through the gateway; 1: something is, or a suite broke; 2: not run, because something is
 * missing here.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeDifferences, differences, inWords, readReport, total } from './compare.mjs';
import { startGateway } from './gateway.mjs';
import { NotRun } from './programs.mjs';
import { registries, runningRegistry } from './registries.mjs';
import { buildSuites, runSuite, suites } from './suites.mjs';

const account = { name: 'conformance', password: randomBytes(18).toString('base64url') };
const work = mkdtempSync(join(tmpdir(), 'portcullis-conformance-'));
const options = readOptions();
const out = options.out === undefined ? `${work}-reports` : resolve(options.out);
let keep = options.out !== undefined;

process.on('exit', () => {
  if (keep) console.log(`conformance: reports are in ${out}`);
  else rmSync(out, { recursive: true, force: true });
  rmSync(work, { recursive: true, force: true });
});

try {
  const begun = performance.now();
  const binaries = await buildSuites(work);
  const seconds = Math.round((performance.now() - begun) / 1000);
  console.log(`conformance: suites built in ${seconds} s`);
  let differing = 0;
  for (const [name, registry] of options.targets) differing += await compareRegistry(name, registry, binaries);
  keep ||= differing > 0;
  process.exitCode = differing === 0 ? 0 : 1;
} catch (error) {
  keep ||= !(error instanceof NotRun);
  console.log(error instanceof NotRun ? `conformance: not run: ${error.message}` : error);
  process.exitCode = error instanceof NotRun ? 2 : 1;
}

function readOptions() {
  const usage = `usage: npm run conformance -- [--registry ${Object.keys(registries).join('|')}]… [--url URL]… [--out DIR]`;
  try {
    const { values } = parseArgs({
      options: {
        registry: { type: 'string', multiple: true, default: [] },
        url: { type: 'string', multiple: true, default: [] },
        out: { type: 'string' },
      },
    });
    const names = values.registry.length + values.url.length === 0 ? ['distribution2'] : values.registry;
    const unknown = names.find((name) => !Object.hasOwn(registries, name));
    if (unknown !== undefined) throw new Error(`there is no registry "${unknown}"`);
    const running = values.url.map((url, index) => [`url${index + 1}`, runningRegistry(new URL(url).origin)]);
    return { targets: [...names.map((name) => [name, registries[name]]), ...running], out: values.out };
  } catch (error) {
    console.error(`${error.message}\n${usage}`);
    rmSync(work, { recursive: true, force: true });
    process.exit(2);
  }
}

/** Runs every suite against one kind of registry, both sides at once, and prints; the number of tests that differ. */
async function compareRegistry(name, registry, binaries) {
  const begun = performance.now();
  const program = await registry.provide(work);
  const servers = [];
  try {
    // A registry for each side, so that neither sees what the other did.
    const [left, right] = [await started(registry, program, name, 'a'), await started(registry, program, name, 'b')];
    servers.push(left, right);
    const space = `conformance-${randomBytes(4).toString('hex')}`;
    await mkdir(join(out, name), { recursive: true });
    const log = join(out, name, 'gateway.log');
    const gateway = await startGateway(join(work, `${name}-gateway`), log, right.url, account, [`${space}/**`]);
    servers.push(gateway);
    console.log(`conformance: ${registry.title}`);
    let differing = 0;
    for (const [index, suite] of suites.entries()) {
      const reports = await Promise.all(
        [
          ['direct', left.url, 'a'],
          ['gateway', gateway.url, 'b'],
        ].map(async ([side, url, letter]) => {
          const dir = join(out, name, `${index + 1}-${side}`);
          await mkdir(dir, { recursive: true });
          // Names of one length, so that lengths of answers compare.
          const repositories = ['one', 'two'].map((last) => `${space}/${letter}${index + 1}/${last}`);
          const path = await runSuite(suite, binaries, url, repositories, account, dir);
          return readReport(readFileSync(path, 'utf8'));
        }),
      );
      differing += printComparison(suite, ...reports);
    }
    const seconds = Math.round((performance.now() - begun) / 1000);
    const verdict = differing === 0 ? 'nothing that passes directly fails' : `${differing} tests end worse`;
    console.log(`conformance: ${registry.title}: ${verdict} through the gateway (${seconds} s)`);
    return differing;
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

function started(registry, program, name, side) {
  return registry.start(program, join(work, `${name}-${side}`));
}

function printComparison(suite, direct, gateway) {
  console.log(`  ${suite.name.padEnd(24)} directly: ${inWords(total(direct))}`);
  console.log(`  ${''.padEnd(24)} gateway:  ${inWords(total(gateway))}`);
  if (total(direct).passed === 0) throw new Error(`${suite.name}: nothing passed directly, so nothing was compared`);
  const found = differences(direct, gateway);
  for (const line of describeDifferences(found)) console.log(`  ${line}`);
  return found.filter(({ better }) => !better).length;
}
