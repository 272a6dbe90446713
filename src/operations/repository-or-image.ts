/** What the page of a repository asks: its tags, or one of its images where a tag or digest is named. */
import { z } from 'zod';
import type { BrowseParts } from './browse.ts';
import { showImage } from './image.ts';
import { operation } from './operation.ts';
import { listTags } from './tags.ts';

/** Of the page alone: `/api/v1` has `tags` and `image`. */
export const showRepository = operation<BrowseParts>()({
  method: 'GET',
  path: '/repository',
  summary: 'A repository, or one image of it',
  needs: 'anybody',
  input: listTags.input.extend({ reference: showImage.input.shape.reference.optional() }),
  answer: z.object({ list: listTags.answer.optional(), image: showImage.answer.optional() }),
  async run(parts, viewer, { reference, ...asked }, isWanted) {
    if (reference === undefined) {
      const listed = await listTags.run(parts, viewer, asked, isWanted);
      return listed.ok ? { ok: true, answer: { list: listed.answer } } : listed;
    }
    const shown = await showImage.run(parts, viewer, { repository: asked.repository, reference }, isWanted);
    return shown.ok ? { ok: true, answer: { image: shown.answer } } : shown;
  },
});
