/** deploy/Dockerfile as instructions, and the configuration that they give an image, in the words of image-spec. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir } from './trial.ts';

export interface Instruction {
  readonly name: string;
  readonly rest: string;
}

/** What an image says of how it is run. */
export interface ImageConfig {
  readonly User: string;
  readonly ExposedPorts: Readonly<Record<string, object>>;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly Volumes: Readonly<Record<string, object>>;
  readonly WorkingDir: string;
  readonly StopSignal: string;
  readonly Healthcheck: Readonly<Record<string, unknown>>;
}

/** All, in order; a continued line is one. */
export function dockerfile(): readonly Instruction[] {
  return readFileSync(join(projectDir, 'deploy/Dockerfile'), 'utf8')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => /^[A-Z]+ /.test(line))
    .map((line) => ({ name: line.split(' ', 1)[0] ?? '', rest: line.slice(line.indexOf(' ') + 1).trim() }));
}

/** Of the last stage, without what its base image says. */
export function dockerfileConfig(): ImageConfig {
  const instructions = lastStage();
  const sole = (name: string): string => {
    const found = instructions.filter((each) => each.name === name);
    if (found.length !== 1) throw new Error(`${found.length} × ${name} in deploy/Dockerfile`);
    return found[0]?.rest ?? '';
  };
  const health = /^(.*?) CMD (\[.*\])$/.exec(sole('HEALTHCHECK')) ?? [];
  const flag = (name: string): number => 1e9 * Number(new RegExp(`--${name}=(\\d+)s`).exec(health[1] ?? '')?.[1]);
  return {
    User: sole('USER'),
    ExposedPorts: { [`${sole('EXPOSE')}/tcp`]: {} },
    Env: sole('ENV').split(/\s+/),
    Entrypoint: list(sole('ENTRYPOINT')),
    Cmd: list(sole('CMD')),
    Volumes: { [sole('VOLUME')]: {} },
    WorkingDir: sole('WORKDIR'),
    StopSignal: sole('STOPSIGNAL'),
    Healthcheck: {
      Test: ['CMD', ...list(health[2] ?? '')],
      Interval: flag('interval'),
      Timeout: flag('timeout'),
      StartPeriod: flag('start-period'),
    },
  };
}

/** What the last stage copies into its folder, by name. */
export function dockerfileContents(): readonly string[] {
  return lastStage()
    .filter(({ name }) => name === 'COPY')
    .flatMap(({ rest }) =>
      rest
        .split(' ')
        .filter((word) => !word.startsWith('--'))
        .slice(0, -1),
    )
    .map((source) => source.split('/').at(-1) ?? '');
}

function lastStage(): readonly Instruction[] {
  const all = dockerfile();
  return all.slice(all.findLastIndex(({ name }) => name === 'FROM') + 1);
}

function list(text: string): readonly string[] {
  return JSON.parse(text) as readonly string[];
}
