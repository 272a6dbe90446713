/** `portcullis try`: the whole flow against the running try-mode gateway, or against one of its own that ends with it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLog } from '../adapters/log/log.ts';
import { startGateway } from '../main.ts';
import { builderName, builderSecretFile } from '../trial/builder.ts';
import { runDemo } from '../trial/demo.ts';
import { freePort } from '../trial/free-port.ts';
import type { Config } from '../config/load.ts';
import { readConfiguration } from './configuration.ts';
import { type ExitCode, complain, exitCodes, printJson, reportBroken } from './report.ts';
import { openTrialGround } from './trial-state.ts';

/** Starts a gateway when none runs here; 2 outside of try mode, 1 when a step went otherwise than it should. */
export async function tryFlow({ json }: { readonly json: boolean }): Promise<ExitCode> {
  const configuration = readConfiguration();
  if (!configuration.ok) return reportBroken(configuration.problems);
  const { config, isTrial } = configuration;
  if (!isTrial) {
    return complain('`try` shows the flow in try mode only; run it where there is no portcullis.yaml', exitCodes.usage);
  }
  const password = await runningPassword(config);
  if (password !== undefined) return demonstrate(config, password, json);
  return withOwnGateway(config, json);
}

async function demonstrate(
  { publicUrl: url, stateDir }: Pick<Config, 'publicUrl' | 'stateDir'>,
  password: string,
  json: boolean,
): Promise<ExitCode> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const secret = readIfThere(builderSecretFile(stateDir));
  const builder = secret === undefined ? undefined : { account: builderName, password: secret };
  const result = await runDemo({ url, account: 'admin', password, builder, print: json ? () => {} : print, json });
  if (json) printJson(result);
  return result.ok ? exitCodes.ok : exitCodes.problems;
}

/** The admin password when a gateway of this state directory answers; undefined when none runs. */
async function runningPassword(config: Config): Promise<string | undefined> {
  try {
    const response = await fetch(`${config.publicUrl}/v2/`, { signal: AbortSignal.timeout(2000) });
    const challenge = response.headers.get('www-authenticate') ?? '';
    if (!challenge.includes(`realm="${config.publicUrl}/token"`)) return undefined;
    return readIfThere(join(config.stateDir, 'initial-admin-password'));
  } catch {
    return undefined;
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

async function withOwnGateway(config: Config, json: boolean): Promise<ExitCode> {
  complain('no gateway is running here, so one is started for this demonstration');
  const ground = await openTrialGround(config);
  if ('failed' in ground) return complain(ground.failed);
  const { trial, extraPolicies } = ground;
  const { state, upstream } = trial;
  // The log goes nowhere: its lines would run through the demonstration.
  const log = { ...createLog(), record: () => {}, info: () => {}, warn: () => {} };
  try {
    // The realm names the port, so it must be known before listening.
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}`;
    const own: Config = {
      ...ground.config,
      listen: { host: '127.0.0.1', port },
      publicUrl,
      admin: { listen: { host: '127.0.0.1', port: 0 } },
      tokens: { ...config.tokens, service: `127.0.0.1:${port}` },
    };
    const started = await startGateway({ config: own, log, extraPolicies });
    if (!started.ok) return reportBroken(started.problems);
    try {
      return await demonstrate(own, state.adminPassword, json);
    } finally {
      await started.gateway.close();
    }
  } finally {
    await upstream.stop();
  }
}
