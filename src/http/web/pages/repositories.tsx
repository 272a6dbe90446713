/** The repositories that one may see, by folder. */
import type { RepositoriesAnswer } from '../../../operations/repositories.ts';
import type { Asked, Frame } from '../page.ts';
import { firstPushLines, loginLine } from './commands.ts';
import { Layout } from './layout.tsx';
import { pageLink, repositoryLink } from './links.ts';
import { Command, Foreign, Name, When } from './parts.tsx';
import { Known, Pages } from './registry-parts.tsx';
import { SearchBar } from './search-bar.tsx';
import { type Column, Table } from './table.tsx';

interface View {
  readonly answer: RepositoriesAnswer;
  readonly frame: Frame;
  readonly asked: Asked;
}

const orders = [
  ['newest', 'last push'],
  ['name', 'name'],
] as const;

/** The first page of everybody. */
export function RepositoriesPage({ answer, frame, asked: { query } }: View) {
  const { under, total, matching, repositories, next, stale } = answer;
  const q = query.get('q') ?? '';
  const order = query.get('order') ?? '';
  return (
    <Layout title={under === '' ? 'Repositories' : under} at="/ui/" frame={frame}>
      <Known stale={stale} now={frame.now} />
      {under === '' ? null : <Path under={under} />}
      <h1>{under === '' ? 'Repositories' : <Name name={under} />}</h1>
      {total === 0 ? (
        <Nothing answer={answer} frame={frame} />
      ) : (
        <>
          <Folders answer={answer} />
          <SearchBar
            title={q === '' ? 'All' : 'Found'}
            count={matching}
            action="/ui/"
            field={{ name: 'q', value: q, label: 'Find a repository' }}
            order={{ value: order === 'name' ? 'name' : 'newest', choices: orders }}
          >
            {under === '' ? null : <input type="hidden" name="under" value={under} />}
          </SearchBar>
          {repositories.length === 0 ? (
            <None answer={answer} q={q} />
          ) : (
            <Table name="Repositories" columns={columnsFor(repositories, frame.now)} rows={repositories} />
          )}
          {answer.complete || stale !== undefined ? null : <p class="note">There may be more, not listed yet.</p>}
          <Pages
            shown={repositories.length}
            of={matching}
            next={next === undefined ? undefined : pageLink('/ui/', { under, q, order, after: next })}
          />
        </>
      )}
    </Layout>
  );
}

function Path({ under }: { readonly under: string }) {
  const segments = under.split('/');
  return (
    <nav class="crumbs" aria-label="Path">
      <a href="/ui/">Repositories</a>
      {segments.slice(0, -1).map((segment, index) => (
        <a href={pageLink('/ui/', { under: segments.slice(0, index + 1).join('/') })}>{segment}</a>
      ))}
    </nav>
  );
}

function None({ answer: { under, matching }, q }: Pick<View, 'answer'> & { readonly q: string }) {
  return (
    <p class="empty">
      {matching > 0 ? (
        'There are no more.'
      ) : q === '' ? (
        'There is no repository in this folder that you may see.'
      ) : (
        <>
          No repository here matches “<Foreign text={q} />
          ”.
        </>
      )}{' '}
      <a href={pageLink('/ui/', { under: q === '' && matching === 0 ? '' : under })}>Show all</a>
    </p>
  );
}

function Folders({ answer: { folders, moreFolders, under } }: Pick<View, 'answer'>) {
  if (folders.length === 0) return null;
  return (
    <ul class="folders" aria-label="Folders">
      {folders.map(({ path, repositories }) => (
        <li>
          <a href={pageLink('/ui/', { under: path })}>{under === '' ? path : path.slice(under.length + 1)}/</a>{' '}
          <span class="count">{repositories.toLocaleString('en')}</span>
        </li>
      ))}
      {moreFolders === 0 ? null : <li class="note">and {moreFolders.toLocaleString('en')} more: find a name</li>}
    </ul>
  );
}

type Repository = RepositoriesAnswer['repositories'][number];

/** A column of how many tags there are only where that is known. */
const columnsFor = (repositories: readonly Repository[], now: number): readonly Column<Repository>[] => [
  {
    title: 'Repository',
    cell: ({ name }) => (
      <a href={repositoryLink(name)}>
        <Name name={name} />
      </a>
    ),
  },
  {
    title: 'Last push',
    cell: ({ lastPush }) =>
      lastPush === undefined ? (
        <span class="note">before this gateway</span>
      ) : (
        <When at={Date.parse(lastPush)} now={now} />
      ),
  },
  ...(repositories.some(({ tags }) => tags !== undefined) ? [tagsColumn] : []),
  // A long name would leave them a line each.
  { title: 'You may', cell: ({ rights }) => rights.join(',\u00a0') },
];

const tagsColumn: Column<Repository> = {
  title: 'Tags',
  class: 'number',
  cell: ({ tags }) => (
    <>
      {tags}
      {tags === undefined ? null : <span class="narrow"> {tags === 1 ? 'tag' : 'tags'}</span>}
    </>
  ),
};

/** Nothing to see: how to begin. */
function Nothing({ answer: { firstPush, stale }, frame }: Omit<View, 'asked'>) {
  const { viewer } = frame;
  if (stale !== undefined)
    return <p class="empty">Which repositories there are is not known yet. Load the page again.</p>;
  if (firstPush === undefined)
    return (
      <>
        <p class="empty">
          There is no repository that you may see.
          {viewer.isKnown ? ' Ask whoever keeps the policy files for one.' : ' Logging in may help.'}
        </p>
        <Command {...loginLine(frame, viewer.name)} />
      </>
    );
  return (
    <>
      <p class="empty">There is no repository that you may see yet. Push the first image:</p>
      {firstPushLines(frame, viewer.name, firstPush).map((line) => (
        <Command {...line} />
      ))}
    </>
  );
}
