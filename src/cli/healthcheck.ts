/** `portcullis healthcheck`: for container images without curl. */
import { formatHostPort } from '../network/host.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { reportProblems } from './report.ts';

const timeoutMs = 3000;

/** 0 when the gateway of this configuration is alive. */
export async function healthcheck(): Promise<ExitCode> {
  const configuration = readConfiguration({ values: {} });
  if (!configuration.ok) {
    reportProblems(configuration.problems);
    return exitCodes.configuration;
  }
  const { host, port } = configuration.config.admin.listen;
  const reachable = host === '' || host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  try {
    const response = await fetch(`http://${formatHostPort(reachable, port)}/livez`, {
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.ok) return exitCodes.ok;
    process.stderr.write(`portcullis: the admin listener answers ${response.status}\n`);
  } catch {
    process.stderr.write(`portcullis: no answer from the admin listener at ${formatHostPort(reachable, port)}\n`);
  }
  return exitCodes.problems;
}
