/**
 * `npm run bench:metrics [-- FOLDER…]`: what counting and timing cost each request, in nanoseconds of the processor; of other builds of the
 * program as well, where their folders are given. Prints figures, asserts nothing.
 */
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('../../build', import.meta.url));
const folders = [here, ...process.argv.slice(2).map((folder) => resolve(folder))];
const requests = 500_000;
const rounds = 7;

const log = { record() {}, info() {}, warn() {}, error() {}, dropped: () => 0 };
const record = { event: 'access', decision: 'allow', reason: 'rule_allows', action: 'pull', status: 200, bytes: 4096 };
const target = '/v2/team/app/manifests/v1';
const timing = { method: 'GET', target, route: 'manifest', status: 200, outcome: 'ok' };
const times = { firstByteSeconds: 0.002, seconds: 0.003 };

/** A pull, as the gateway tells of it; `answered`: as older builds were told. */
function pull(observed, routeNameOf) {
  const { answers, behind } = observed;
  if (answers === undefined) decide();
  else {
    answers.onBegun(routeNameOf(target));
    observed.timeDecision(decide);
  }
  (behind?.onFirstByte ?? observed.upstreamAnswered)('main', target, 0.001);
  observed.audit.record(record);
  (answers?.onAnswered ?? observed.answered)({ ...timing, ...times });
}
const decide = () => record.decision;

for (let round = 0; round < rounds; round++) {
  for (const folder of folders) {
    const { createObserved } = await import(join(folder, 'gateway/observed.js'));
    const { routeNameOf } = await import(join(folder, 'distribution/route-name.js'));
    const observed = createObserved(log);
    for (let n = 0; n < requests / 10; n++) pull(observed, routeNameOf);
    const begun = process.cpuUsage();
    for (let n = 0; n < requests; n++) pull(observed, routeNameOf);
    const { user, system } = process.cpuUsage(begun);
    const each = ((user + system) * 1000) / requests;
    observed.close?.();
    console.log(`${folder}: ${each.toFixed(0)} ns a request`);
  }
}
