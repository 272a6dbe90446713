/** The tags of a repository, a row each. */
import type { TagView } from '../../../operations/tags.ts';
import { deleteLink, repositoryLink } from './links.ts';
import { Foreign, When, size, visible } from './parts.tsx';
import { Digest, Pushed } from './registry-parts.tsx';
import { type Column, Table } from './table.tsx';

interface TagRows {
  readonly repository: string;
  readonly rows: readonly TagView[];
  readonly now: number;
}

/** A column for deleting only where something may be. */
export function TagTable({ repository, rows, now }: TagRows) {
  const columns = [
    ...columnsOf(repository, now),
    ...(rows.some(({ mayDelete }) => mayDelete) ? [deleting(repository)] : []),
  ];
  return (
    <Table
      name={`Tags of ${repository}`}
      columns={columns}
      rows={rows}
      instead={({ state }) => (state === 'known' ? undefined : why[state === 'missing' ? 'missing' : 'unknown'])}
    />
  );
}

const why = {
  missing: 'The registry lists this tag and has no manifest for it.',
  unknown: 'The registry has not answered yet what this is.',
};

const columnsOf = (repository: string, now: number): readonly Column<TagView>[] => [
  { title: 'Tag', cell: (row) => <Tag row={row} repository={repository} /> },
  { title: 'Digest', cell: ({ digest = '' }) => <Digest digest={digest} /> },
  { title: 'Size', class: 'number', cell: ({ size: bytes }) => (bytes === undefined ? null : size(bytes)) },
  {
    title: 'Platforms',
    cell: ({ platforms, type }) =>
      platforms.length > 0 ? <Platforms names={platforms} /> : <Foreign text={typeInWords(type)} />,
  },
  { title: 'Pushed', word: 'pushed', cell: ({ pushed }) => <Pushed pushed={pushed} now={now} /> },
  {
    title: 'Last pull',
    word: 'last pull',
    cell: ({ lastPull }) =>
      lastPull === undefined ? (
        <span class="note">none{'\u00a0'}seen</span>
      ) : (
        <When at={Date.parse(lastPull)} now={now} />
      ),
  },
];

const deleting = (repository: string): Column<TagView> => ({
  title: 'Delete',
  isHidden: true,
  cellClass: () => 'act',
  cell: ({ tag, mayDelete }) =>
    mayDelete ? (
      <a href={deleteLink(repository, tag)}>
        Delete<span class="hidden"> {tag}</span>…
      </a>
    ) : null,
});

interface RowView {
  readonly row: TagView;
  readonly repository: string;
}

function Tag({ row, repository }: RowView) {
  const { state, tag, sameAs, moreSame } = row;
  if (state === 'missing') return <>{tag}</>;
  const link = <a href={repositoryLink(repository, { tag })}>{tag}</a>;
  if (state !== 'known') return link;
  return (
    <>
      {link}
      <Badges row={row} repository={repository} />
      {sameAs.length === 0 ? null : (
        <span class="note block">
          same image as {sameAs.join(', ')}
          {moreSame > 0 ? ` and ${moreSame} more` : ''}
        </span>
      )}
    </>
  );
}

/** What a row says of what is attached: each kind once. */
const badges = { signature: 'signed', SBOM: 'SBOM', attestation: 'attested', other: 'attached' } as const;

function Badges({ row: { tag, immutable, attached }, repository }: RowView) {
  const kinds = (Object.keys(badges) as (keyof typeof badges)[]).filter((kind) =>
    attached.some((each) => each.kind === kind),
  );
  return (
    <>
      {immutable ? (
        <span class="badge" title="A rule forbids moving this tag">
          immutable
        </span>
      ) : null}
      {kinds.map((kind) => {
        const types = attached.filter((each) => each.kind === kind).map(({ type }) => visible(type.slice(0, 80)));
        return (
          <a
            class={`badge ${kind === 'signature' ? 'good' : ''}`}
            href={repositoryLink(repository, { tag }, 'attached')}
            title={`attached, not verified: ${[...new Set(types)].slice(0, 4).join(', ')}`}
          >
            {badges[kind]}
            <span class="hidden">, not verified</span>
          </a>
        );
      })}
    </>
  );
}

/** Platforms in sight of a row. */
const maxPlatforms = 6;

/** `linux/amd64, arm64`: the system once. */
function Platforms({ names }: { readonly names: readonly string[] }) {
  const bySystem = new Map<string, string[]>();
  for (const name of names.slice(0, maxPlatforms)) {
    const [system = '', ...rest] = name.split('/');
    bySystem.set(system, [...(bySystem.get(system) ?? []), rest.join('/')]);
  }
  const text = [...bySystem].map(([system, machines]) => `${system}/${machines.join(', ')}`).join('; ');
  const more = names.length - maxPlatforms;
  return <Foreign text={`${text}${more > 0 ? ` and ${more} more` : ''}`} />;
}

/** What is no image. */
export function typeInWords(type: string | undefined): string {
  if (type === undefined) return '';
  if (/helm\.config/.test(type)) return 'Helm chart';
  if (/spdx|cyclonedx|sbom/i.test(type)) return 'SBOM';
  return type.replace(/^application\/(?:vnd\.)?/, '');
}
