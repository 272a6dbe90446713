/** The repositories that one may see, by folder. */
import type { RepositoriesAnswer } from '../../../operations/repositories.ts';
import type { Asked, Frame } from '../page.ts';
import { firstPushLines, loginLine } from './commands.ts';
import { Layout } from './layout.tsx';
import { folderLink, repositoryLink } from './links.ts';
import { Command, Foreign, Name, When } from './parts.tsx';
import { Known, Pages } from './registry-parts.tsx';

interface View {
  readonly answer: RepositoriesAnswer;
  readonly frame: Frame;
  readonly asked: Asked;
}

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
          <div class="bar">
            <h2>
              {q === '' ? 'All' : 'Found'} <span class="count">{matching.toLocaleString('en')}</span>
            </h2>
            <form method="get" action="/ui/" class="find" role="search">
              <label>
                <span class="hidden">Find a repository</span>
                <input type="search" name="q" value={q} placeholder="Find a repository" />
              </label>
              <label>
                <span class="hidden">Order</span>
                <select name="order">
                  <option value="newest" selected={order !== 'name'}>
                    last push
                  </option>
                  <option value="name" selected={order === 'name'}>
                    name
                  </option>
                </select>
              </label>
              <button>Find</button>
              {under === '' ? null : <input type="hidden" name="under" value={under} />}
            </form>
          </div>
          {repositories.length === 0 ? (
            <p class="empty">
              No repository here matches “<Foreign text={q} />
              ”. <a href={folderLink({ under })}>Show all</a>
            </p>
          ) : (
            <Table answer={answer} now={frame.now} />
          )}
          {answer.complete || stale !== undefined ? null : <p class="note">There may be more, not listed yet.</p>}
          <Pages
            shown={repositories.length}
            of={matching}
            next={next === undefined ? undefined : folderLink({ under, q, order, after: next })}
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
        <a href={folderLink({ under: segments.slice(0, index + 1).join('/') })}>{segment}</a>
      ))}
    </nav>
  );
}

function Folders({ answer: { folders, under } }: Pick<View, 'answer'>) {
  if (folders.length === 0) return null;
  return (
    <ul class="folders" aria-label="Folders">
      {folders.map(({ path, repositories }) => (
        <li>
          <a href={folderLink({ under: path })}>{under === '' ? path : path.slice(under.length + 1)}/</a>{' '}
          <span class="count">{repositories.toLocaleString('en')}</span>
        </li>
      ))}
    </ul>
  );
}

function Table({ answer: { repositories }, now }: { readonly answer: RepositoriesAnswer; readonly now: number }) {
  const withTags = repositories.some(({ tags }) => tags !== undefined);
  return (
    <table class="list tags" role="table">
      <caption class="hidden">Repositories</caption>
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col">
            Repository
          </th>
          <th role="columnheader" scope="col">
            Last push
          </th>
          {withTags ? (
            <th role="columnheader" scope="col" class="number">
              Tags
            </th>
          ) : null}
          <th role="columnheader" scope="col">
            You may
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        {repositories.map(({ name, lastPush, tags, rights }) => (
          <tr role="row">
            <th role="rowheader" scope="row">
              <a href={repositoryLink(name)}>
                <Name name={name} />
              </a>
            </th>
            <td role="cell">
              {lastPush === undefined ? (
                <span class="note">before this gateway</span>
              ) : (
                <When at={Date.parse(lastPush)} now={now} />
              )}
            </td>
            {withTags ? (
              <td role="cell" class="number">
                {tags}
                {tags === undefined ? null : <span class="narrow"> {tags === 1 ? 'tag' : 'tags'}</span>}
              </td>
            ) : null}
            <td role="cell">{rights.join(', ')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

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
