import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Login } from '../../support/clients.ts';
import type { Client } from '../../support/docker.ts';
import {
  type ImageLayout,
  createDockerArchive,
  createImageLayout,
  createIndexLayout,
  createTar,
} from '../../support/image.ts';
import { writeImageLayout } from '../../support/image.ts';
import type { RunResult } from '../../support/programs.ts';
import type { Site } from './sites.ts';

/** The same images for both sites; nobody else has them. */
export interface Images {
  readonly one: ImageLayout;
  /** Large enough to be broken off in the middle. */
  readonly large: ImageLayout;
  readonly index: Omit<ImageLayout, 'layerDigest'>;
  /** For `docker load`, which names it `one:1` and `large:1`. */
  readonly archives: Readonly<Record<'one' | 'large', Buffer>>;
}

/** One client in front of one site. */
export interface Terminal {
  readonly site: Site;
  readonly login: Login;
  readonly images: Images;
  readonly client: Client;
  readonly run: Client['run'];
}

export const largeLayerBytes = 300_000;

export function createImages(): Images {
  return {
    one: createImageLayout('1'),
    large: createImageLayout('1', largeLayerBytes),
    index: createIndexLayout('1'),
    archives: {
      one: createDockerArchive('one:1'),
      large: createDockerArchive('large:1', largeLayerBytes),
    },
  };
}

/** Puts the images into the client's folder: `oci:one:1`, `oci:large:1`, `oci:index:1`, and each as `NAME.tar`. */
export async function openTerminal(site: Site, login: Login, images: Images, client: Client): Promise<Terminal> {
  for (const name of ['one', 'large', 'index'] as const) {
    const layout = images[name];
    await writeImageLayout(join(client.dir, name), { layerDigest: '', ...layout });
    await writeFile(join(client.dir, `${name}.tar`), createTar(layout.files));
  }
  return { site, login, images, client, run: client.run };
}

export interface Shown {
  readonly code: number | null;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
}

/** What a person reads and a script sees, without what differs from one moment, port or folder to the next. */
export function plain({ site, client }: Terminal, { code, stdout, stderr }: RunResult): Shown {
  const told = (text: string): readonly string[] => {
    const named = text
      .replaceAll(site.host, 'HOST')
      .replaceAll(client.dir, 'DIR')
      .replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '')
      .replace(/time="[^"]*"|\btime=\S+/g, 'time=TIME')
      .replace(/^\d{4}(?:\/\d\d){2} [\d:]{8} /gm, '')
      .replace(/"Created": ?"[^"]*"/g, 'CREATED')
      .replace(/127\.0\.0\.1:\d+->/g, 'HERE->')
      // Which of both containerd shows of content that it has is a matter of time.
      .replace(/: +(?:done|exists) +\|\+*\|/g, ': there');
    // Progress is shown in any order, and as often as there is time for.
    const lines = named.split(/[\r\n]+/).map((line) => line.replace(/ {2,}/g, ' ').replace(/,$/, '').trimEnd());
    return [...new Set(lines.filter((line) => line !== '' && !isProgress(line)))].sort();
  };
  return { code, stdout: told(stdout), stderr: told(stderr) };
}

function isProgress(line: string): boolean {
  return (
    / (?:Preparing|Waiting|Pushing|Pulling fs layer|Verifying Checksum|Download complete|Downloading|Extracting)\b/.test(
      line,
    ) ||
    /: Retrying in \d+ second/.test(line) ||
    // ctr, asking how far it is when it is done.
    /msg="(?:active check failed|failed to get content info)" error="context canceled"/.test(line) ||
    /^elapsed: |^done: [\d.hmµs]+$|: +(?:waiting|uploading|downloading|resolving|resolved|committing) +\|/.test(line)
  );
}
