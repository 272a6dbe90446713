/** The tags of a repository, a row each. */
import type { TagView } from '../../../operations/tags.ts';
import { deleteLink, repositoryLink } from './links.ts';
import { Foreign, When, size, visible } from './parts.tsx';
import { Digest, Pushed } from './registry-parts.tsx';

interface Table {
  readonly repository: string;
  readonly rows: readonly TagView[];
  readonly now: number;
}

/** A column for deleting only where something may be. */
export function TagTable({ repository, rows, now }: Table) {
  const withDelete = rows.some((row) => row.mayDelete);
  return (
    <table class="list tags" role="table">
      <caption class="hidden">Tags of {repository}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {['Tag', 'Digest', 'Size', 'Platforms', 'Pushed', 'Last pull'].map((title) => (
            <th role="columnheader" scope="col" class={title === 'Size' ? 'number' : undefined}>
              {title}
            </th>
          ))}
          {withDelete ? (
            <th role="columnheader" scope="col">
              <span class="hidden">Delete</span>
            </th>
          ) : null}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) =>
          row.state === 'known' ? (
            <Row {...{ row, repository, withDelete, now }} />
          ) : (
            <Broken {...{ row, repository, withDelete }} />
          ),
        )}
      </tbody>
    </table>
  );
}

const why = {
  missing: 'The registry lists this tag and has no manifest for it.',
  unknown: 'The registry has not answered yet what this is.',
};

function Broken({
  row,
  repository,
  withDelete,
}: {
  readonly row: TagView;
  readonly repository: string;
  readonly withDelete: boolean;
}) {
  return (
    <tr role="row" class="broken">
      <th role="rowheader" scope="row">
        {row.state === 'missing' ? row.tag : <a href={repositoryLink(repository, { tag: row.tag })}>{row.tag}</a>}
      </th>
      <td role="cell" colSpan={withDelete ? 6 : 5}>
        <span class="note">{why[row.state === 'missing' ? 'missing' : 'unknown']}</span>
      </td>
    </tr>
  );
}

interface RowView {
  readonly row: TagView;
  readonly repository: string;
  readonly withDelete: boolean;
  readonly now: number;
}

function Row({ row, repository, withDelete, now }: RowView) {
  const { tag, digest = '', pushed, lastPull } = row;
  return (
    <tr role="row">
      <th role="rowheader" scope="row">
        <a href={repositoryLink(repository, { tag })}>{tag}</a>
        <Badges row={row} repository={repository} />
        {row.sameAs.length === 0 ? null : <span class="note block">same image as {row.sameAs.join(', ')}</span>}
      </th>
      <td role="cell">
        <Digest digest={digest} />
      </td>
      <td role="cell" class="number">
        {row.size === undefined ? null : size(row.size)}
      </td>
      <td role="cell">
        {row.platforms.length > 0 ? <Platforms names={row.platforms} /> : <Foreign text={typeInWords(row.type)} />}
      </td>
      <td role="cell" data-word="pushed">
        <Pushed pushed={pushed} now={now} />
      </td>
      <td role="cell" data-word="last pull">
        {lastPull === undefined ? (
          <span class="note">none{'\u00a0'}seen</span>
        ) : (
          <When at={Date.parse(lastPull)} now={now} />
        )}
      </td>
      {withDelete ? (
        <td role="cell" class="act">
          {row.mayDelete ? (
            <a href={deleteLink(repository, tag)}>
              Delete<span class="hidden"> {tag}</span>…
            </a>
          ) : null}
        </td>
      ) : null}
    </tr>
  );
}

/** What a row says of what is attached: each kind once. */
const badges = { signature: 'signed', SBOM: 'SBOM', attestation: 'attested', other: 'attached' } as const;

function Badges({ row: { tag, immutable, attached }, repository }: Pick<RowView, 'row' | 'repository'>) {
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
export function Platforms({ names }: { readonly names: readonly string[] }) {
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
