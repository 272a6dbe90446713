/** What a developer looks at, connected: each page with the operation that it draws. */
import type { BrowseParts } from '../../../operations/browse.ts';
import { type DeleteParts, deleteTag, showDeletion } from '../../../operations/delete.ts';
import { maxQuery } from '../../../operations/finding.ts';
import { listRepositories, repositoryOrders } from '../../../operations/repositories.ts';
import { showImage } from '../../../operations/image.ts';
import { showRepository } from '../../../operations/repository-or-image.ts';
import { listTags, tagOrders } from '../../../operations/tags.ts';
import type { Asked, Form, Page } from '../page.ts';
import { DeletePage, LastDeletedPage, NotDeleted, goneOf } from './delete.tsx';
import { ImagePage } from './image.tsx';
import { repositoryLink } from './links.ts';
import { RepositoriesPage } from './repositories.tsx';
import { RepositoryPage } from './repository.tsx';

export type DeveloperParts = DeleteParts;

/** For `/api/v1`. */
export const developerOperations = [listRepositories, listTags, showImage, showDeletion, deleteTag] as const;

const repositoriesPage: Page<BrowseParts, typeof listRepositories.input, typeof listRepositories.answer> = {
  path: '/ui/',
  operation: listRepositories,
  input: ({ query }) => ({
    under: cut(query.get('under'), 255),
    q: cut(query.get('q'), maxQuery),
    order: oneOf(repositoryOrders, query.get('order')),
    after: cut(query.get('after'), 255),
  }),
  view: (answer, frame, asked) => <RepositoriesPage {...{ answer, frame, asked }} />,
};

const repositoryPage: Page<BrowseParts, typeof showRepository.input, typeof showRepository.answer> = {
  path: '/ui/r/',
  operation: showRepository,
  input: ({ rest, query }) => ({
    repository: nameIn(rest),
    q: cut(query.get('q'), maxQuery),
    order: oneOf(tagOrders, query.get('order')),
    after: cut(query.get('after'), 128),
    reference: cut(query.get('tag') ?? query.get('digest'), 255),
  }),
  view: ({ list, image }, frame, asked) =>
    image !== undefined ? (
      <ImagePage answer={image} frame={frame} />
    ) : list !== undefined ? (
      <RepositoryPage answer={list} frame={frame} asked={asked} />
    ) : (
      <></>
    ),
  // Some registries know no repository of which the last tag was deleted.
  failed({ reason }, frame, asked) {
    const gone = goneOf(frame, asked);
    return reason === 'unknown' && gone !== undefined ? (
      <LastDeletedPage repository={nameIn(asked.rest)} tag={gone} frame={frame} />
    ) : undefined;
  },
};

const deletePage: Page<DeleteParts, typeof showDeletion.input, typeof showDeletion.answer> = {
  path: '/ui/delete',
  operation: showDeletion,
  input: ({ query }) => ({ repository: query.get('repository') ?? '', tag: cut(query.get('tag'), 128) ?? '' }),
  view: (answer, frame) => <DeletePage answer={answer} frame={frame} />,
};

const fields = ['repository', 'tag', 'confirm', 'digest', 'list'] as const;

const deleteForm: Form<DeleteParts, typeof deleteTag.input, typeof deleteTag.answer> = {
  path: '/ui/delete',
  operation: deleteTag,
  input: (form) => Object.fromEntries(fields.map((name) => [name, (form.get(name) ?? '').trim()])),
  done: ({ repository, deleted: [gone] }, _frame, form) => ({
    to: repositoryLink(repository, { gone: gone === undefined ? undefined : (form.get('tag') ?? gone) }),
  }),
  failed({ detail }, frame, form) {
    const [repository, tag] = [form.get('repository') ?? '', form.get('tag') ?? ''];
    return <NotDeleted {...{ detail, repository, tag, frame }} />;
  },
};

export const developerPages = [repositoriesPage, repositoryPage, deletePage] as const;
export const developerForms = [deleteForm] as const;

/** What is longer is looked for by its beginning: nobody types that much. */
function cut(text: string | null, length: number): string | undefined {
  return text === null || text === '' ? undefined : text.slice(0, length);
}

function oneOf<Word extends string>(words: readonly Word[], text: string | null): Word | undefined {
  return words.find((word) => word === text);
}

/** Behind the path of the page; a name with other characters than names have is nobody's. */
function nameIn(rest: Asked['rest']): string {
  try {
    return decodeURIComponent(rest.replace(/\/$/, ''));
  } catch {
    return rest;
  }
}
