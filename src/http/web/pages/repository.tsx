/** A repository: what may I do here, the exact command, and which image a tag is. */
import type { TagsAnswer } from '../../../operations/tags.ts';
import type { Asked, Frame } from '../page.ts';
import { loginLine, pullLines, pushLine } from './commands.ts';
import { Deleted, goneOf } from './delete.tsx';
import { Layout } from './layout.tsx';
import { repositoryLink } from './links.ts';
import { Foreign, Name } from './parts.tsx';
import { Commands, Crumbs, Known, Pages, Rights } from './registry-parts.tsx';
import { SearchBar } from './search-bar.tsx';
import { TagTable } from './tag-table.tsx';

interface View {
  readonly answer: TagsAnswer;
  readonly frame: Frame;
  readonly asked: Asked;
}

const orders = [
  ['newest', 'newest push'],
  ['name', 'name'],
  ['size', 'size'],
] as const;

/** With its tags, fifty a page. */
export function RepositoryPage({ answer, frame, asked: { query } }: View) {
  const { repository, rights, total, matching, complete, tags, next, stale } = answer;
  const q = query.get('q') ?? '';
  const order = query.get('order') ?? 'newest';
  const gone = goneOf(frame, { query });
  return (
    <Layout title={repository} at="/ui/" frame={frame}>
      <Known stale={stale} now={frame.now} />
      {gone === undefined || tags.some(({ tag }) => tag === gone) ? null : <Deleted tag={gone} />}
      <Crumbs repository={repository} />
      <h1>
        <Name name={repository} />
      </h1>
      <Rights rights={rights} repository={repository} frame={frame} />
      <HowTo answer={answer} frame={frame} />
      <SearchBar
        title="Tags"
        count={q === '' ? total : matching}
        action={repositoryLink(repository)}
        field={{ name: 'q', value: q, label: 'Find a tag' }}
        order={{ value: order, choices: orders }}
      />
      {tags.length > 0 ? (
        <TagTable repository={repository} rows={tags} now={frame.now} />
      ) : (
        <p class="empty">
          {total === 0 ? (
            'Nothing has been pushed here that you may see.'
          ) : matching > 0 ? (
            <>
              There are no more. <a href={repositoryLink(repository)}>Show all tags</a>
            </>
          ) : (
            <>
              No tag matches “<Foreign text={q} />
              ”. Part of a tag will do, v1.*, or the beginning of a digest as in sha256:12ab.{' '}
              <a href={repositoryLink(repository)}>Show all tags</a>
            </>
          )}
        </p>
      )}
      {complete ? null : <p class="note">There are more tags, not listed here.</p>}
      <Pages
        shown={tags.length}
        of={matching}
        next={next === undefined ? undefined : repositoryLink(repository, { q, order, after: next })}
      />
    </Layout>
  );
}

function HowTo({ answer: { repository, newest, rights }, frame }: Omit<View, 'asked'>) {
  const [pull, ...others] = pullLines(frame, { repository, ...newest });
  const mayPush = rights.some(
    ({ action, answer }) => action === 'push' && (answer === 'yes' || answer === 'sometimes'),
  );
  const first = mayPush ? [pull, pushLine(frame, repository)] : [pull];
  return <Commands first={first} others={[loginLine(frame, frame.viewer.name), ...others]} />;
}
