/** What one platform of an image is made of. */
import type { ComponentChildren } from 'preact';
import type { PlatformView } from '../../../operations/image.ts';
import { outsideLink } from './links.ts';
import { Foreign, When, size } from './parts.tsx';
import { Digest } from './registry-parts.tsx';
import { type Column, Table } from './table.tsx';

/** One line of a list of facts. */
export function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Its configuration, layers and labels; folded where it is one of several. */
export function Platform({
  platform,
  isPart,
  now,
}: {
  readonly platform: PlatformView;
  readonly isPart: boolean;
  readonly now: number;
}) {
  const { name, created, config, layers } = platform;
  const whole = (
    <>
      <dl class="facts">
        {isPart || name === undefined ? null : (
          <Fact name="Platform">
            <Foreign text={name} />
          </Fact>
        )}
        {created === undefined ? null : (
          <Fact name="Created">
            <When at={Date.parse(created)} now={now} />
          </Fact>
        )}
        {config === undefined ? null : (
          <>
            <Words name="User" words={config.user === '' ? [] : [config.user]} />
            <Words name="Entrypoint" words={config.entrypoint} />
            <Words name="Command" words={config.command} />
            <Words name="Ports" words={config.ports} />
          </>
        )}
      </dl>
      <Layers layers={layers} />
      <Texts title="Labels" texts={config?.labels ?? {}} />
    </>
  );
  if (!isPart) return whole;
  return (
    <details class="part">
      <summary>
        Layers and labels of <Foreign text={name ?? 'one that does not say its platform'} />
      </summary>
      {whole}
    </details>
  );
}

function Words({ name, words }: { readonly name: string; readonly words: readonly string[] }) {
  if (words.length === 0) return null;
  return (
    <Fact name={name}>
      <code class="whole">
        <Foreign text={words.join(' ')} whole />
      </code>
    </Fact>
  );
}

const layerColumns = (title: string): readonly Column<PlatformView['layers'][number]>[] => [
  {
    title,
    cellClass: () => 'step',
    cell: ({ type, command }) =>
      command === undefined || command === '' ? <Foreign text={type} /> : <Foreign text={command} whole />,
  },
  { title: 'Digest', cell: ({ digest }) => <Digest digest={digest} /> },
  { title: 'Size', class: 'number', cell: ({ size: bytes }) => size(bytes) },
];

function Layers({ layers }: Pick<PlatformView, 'layers'>) {
  if (layers.length === 0) return null;
  const hasCommands = layers.some(({ command }) => command !== undefined && command !== '');
  return (
    <>
      <h2>
        Layers <span class="count">{layers.length}</span>
      </h2>
      <Table name="Layers" columns={layerColumns(hasCommands ? 'Command' : 'Type')} rows={layers} />
    </>
  );
}

/** Names and values of any content. */
export function Texts({ title, texts }: { readonly title: string; readonly texts: Readonly<Record<string, string>> }) {
  const entries = Object.entries(texts);
  if (entries.length === 0) return null;
  return (
    <>
      <h2>{title}</h2>
      <dl class="facts">
        {entries.map(([name, text]) => (
          <div>
            <dt>
              <Foreign text={name} />
            </dt>
            <dd>
              <Value text={text} />
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function Value({ text }: { readonly text: string }) {
  const link = outsideLink(text);
  if (link === undefined) return <Foreign text={text} whole />;
  return (
    <a href={link.href} rel="noreferrer noopener nofollow">
      <Foreign text={text} whole />
    </a>
  );
}
