/** `portcullis healthcheck`: for container images without curl. */
import { adminAddress } from './admin-client.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { complain, reportBroken } from './report.ts';

const timeoutMs = 3000;

/** 0 when the gateway of this configuration is alive. */
export async function healthcheck(): Promise<ExitCode> {
  const configuration = readConfiguration();
  if (!configuration.ok) return reportBroken(configuration.problems);
  const address = adminAddress(configuration.config);
  try {
    const response = await fetch(`http://${address}/livez`, { signal: AbortSignal.timeout(timeoutMs) });
    return response.ok ? exitCodes.ok : complain(`the admin listener answers ${response.status}`);
  } catch {
    return complain(`no answer from the admin listener at ${address}`);
  }
}
