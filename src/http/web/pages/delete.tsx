/** Deleting a tag: what goes with it, and the name of the tag typed by whoever means it. */
import type { GoingAnswer } from '../../../operations/delete.ts';
import type { Asked, Frame } from '../page.ts';
import { Layout } from './layout.tsx';
import { deleteLink, repositoryLink } from './links.ts';
import { Answer, Foreign, Name } from './parts.tsx';
import { Crumbs } from './registry-parts.tsx';

/** Shows all of it before anything can be sent. */
export function DeletePage({ answer, frame }: { readonly answer: GoingAnswer; readonly frame: Frame }) {
  const { repository, tag, digest, tags, indexes, others, list } = answer;
  const isAlone = tags.length === 1 && indexes.length === 0 && !others;
  return (
    <Layout title={`Delete ${tag}`} at="/ui/" frame={frame}>
      <Crumbs repository={repository} isImage />
      <h1>
        Delete <Name name={repository} tail={`:${tag}`} />
      </h1>
      <p>
        It is <code class="whole">{digest}</code>.
      </p>
      {isAlone ? null : (
        <>
          <p>
            If the registry can take away this tag alone, only that is done. If it cannot, it deletes the image, and
            then all of this goes:
          </p>
          <Going answer={answer} />
        </>
      )}
      <form class="login left" method="post" action="/ui/delete">
        <input type="hidden" name="csrf" value={frame.csrf('/ui/delete')} />
        <input type="hidden" name="repository" value={repository} />
        <input type="hidden" name="tag" value={tag} />
        <input type="hidden" name="digest" value={digest} />
        <input type="hidden" name="list" value={list} />
        <label>
          To delete it, type the tag's name: {tag}
          <input name="confirm" required autocomplete="off" autocapitalize="none" spellcheck={false} />
        </label>
        <button class="primary danger">Delete {tag}</button>
        <a href={repositoryLink(repository)}>Keep it</a>
      </form>
    </Layout>
  );
}

function Going({ answer: { tags, indexes, others } }: { readonly answer: GoingAnswer }) {
  return (
    <ul class="plain-list">
      {tags.map(({ tag, may }) => (
        <li>
          <b>{tag}</b>{' '}
          {may ? <Answer answer="yes" word="you may delete it" /> : <Answer answer="no" word="you may not delete it" />}
        </li>
      ))}
      {indexes.map((tag) => (
        <li>
          <b>{tag}</b> <Answer answer="no" word="is an index that this image is part of; delete that first" />
        </li>
      ))}
      {others ? <li>something that you may not see</li> : null}
    </ul>
  );
}

/** What a page is told that deleting led to: of a tag, and only by a page of ours. */
export function goneOf({ isFromOwnPage }: Frame, { query }: Pick<Asked, 'query'>): string | undefined {
  const gone = query.get('gone') ?? '';
  return isFromOwnPage && /^\w[\w.-]{0,127}$/.test(gone) ? gone : undefined;
}

/** That it is done. */
export function Deleted({ tag }: { readonly tag: string }) {
  return (
    <p class="notice good" role="status">
      {tag} is deleted.
    </p>
  );
}

/** Where nothing is left of the repository. */
export function LastDeletedPage(props: { readonly repository: string; readonly tag: string; readonly frame: Frame }) {
  const { repository, tag, frame } = props;
  return (
    <Layout title="Deleted" at="/ui/" frame={frame}>
      <Deleted tag={tag} />
      <h1>
        <Foreign text={repository} />
      </h1>
      <p>
        There is nothing here any longer that you may see. <a href="/ui/">Go to the repositories</a>
      </p>
    </Layout>
  );
}

/** What the operation said no to, with the way back. */
export function NotDeleted(props: {
  readonly detail: string;
  readonly repository: string;
  readonly tag: string;
  readonly frame: Frame;
}) {
  const { detail, repository, tag, frame } = props;
  return (
    <Layout title="Not deleted" at="/ui/" frame={frame}>
      <h1>Not deleted</h1>
      <p class="notice bad" role="alert">
        <Foreign text={detail} whole />
      </p>
      <p>
        <a href={deleteLink(repository, tag)}>Look again at what would go</a>
      </p>
      <p>
        <a href={repositoryLink(repository)}>Back to the repository</a>
      </p>
    </Layout>
  );
}
