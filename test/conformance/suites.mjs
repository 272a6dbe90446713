/** The two generations of the conformance suite of the OCI distribution-spec: how each is built and run. */
import { join } from 'node:path';
import { buildGo, runProgram } from './programs.mjs';

const suiteModule = 'github.com/opencontainers/distribution-spec/conformance';

/** Written anew in 2025, an ordinary program. No release has it yet. */
const currentVersion = 'v0.0.0-20260831232431-97274622c111';
/** The suite that registries were certified with until then, a ginkgo test. The newest of its line that sum.golang.org vouches for. */
const earlierVersion = 'v0.0.0-20230516164017-7fcdf80f3c8b';

export const suites = [
  {
    name: 'distribution-spec 1.1',
    binary: 'current',
    environment: (target, repositories, account, reports) => ({
      ...currentEnvironment(target, repositories, account, reports),
      OCI_VERSION: '1.1',
    }),
  },
  {
    // What is drafted for the next version on top of it, and a login for every single request.
    name: 'distribution-spec dev',
    binary: 'current',
    environment: (target, repositories, account, reports) => ({
      ...currentEnvironment(target, repositories, account, reports),
      OCI_VERSION: 'dev',
      OCI_DATA_SPARSE: 'true',
      OCI_CACHE_AUTH: 'false',
    }),
  },
  {
    name: 'earlier suite (1.1-rc)',
    binary: 'earlier',
    environment: (target, repositories, account, reports) => ({
      OCI_ROOT_URL: target.origin,
      OCI_NAMESPACE: repositories[0],
      OCI_CROSSMOUNT_NAMESPACE: repositories[1],
      OCI_USERNAME: account.name,
      OCI_PASSWORD: account.password,
      OCI_TEST_PULL: '1',
      OCI_TEST_PUSH: '1',
      OCI_TEST_CONTENT_DISCOVERY: '1',
      OCI_TEST_CONTENT_MANAGEMENT: '1',
      OCI_REPORT_DIR: reports,
    }),
  },
];

function currentEnvironment(target, repositories, account, reports) {
  return {
    OCI_REGISTRY: target.host,
    OCI_TLS: target.protocol === 'https:' ? 'enabled' : 'disabled',
    OCI_REPO1: repositories[0],
    OCI_REPO2: repositories[1],
    OCI_USERNAME: account.name,
    OCI_PASSWORD: account.password,
    OCI_RESULTS_DIR: reports,
  };
}

/** Builds both and resolves with their paths; throws NotRun when this machine cannot. */
export async function buildSuites(dir) {
  return {
    current: await buildGo(dir, 'current', [`${suiteModule}@${currentVersion}`], ['build'], suiteModule),
    earlier: await buildGo(dir, 'earlier', [`${suiteModule}@${earlierVersion}`], ['test', '-c'], suiteModule),
  };
}

/** Runs one suite and resolves with the path of its JUnit report. Its exit code says no more than the report does. */
export async function runSuite(suite, binaries, target, repositories, account, reports) {
  const ended = await runProgram(binaries[suite.binary], [], {
    cwd: reports,
    env: { HOME: reports, ...suite.environment(new URL(target), repositories, account, reports) },
    output: join(reports, 'output.txt'),
    timeoutMs: 10 * 60_000,
  });
  if (ended.code !== 0 && ended.code !== 1) throw new Error(`${suite.name} was ended by ${ended.signal ?? ended.code}`);
  return join(reports, 'junit.xml');
}
