/** The policy in force for people: its files, what is wrong with newer ones, what changed, and what a reader would object to. */
import { z } from 'zod';
import { maskedLines } from '../document/masked.ts';
import type { Problem } from '../document/problem.ts';
import type { PolicyReview } from '../policy/analysis/review.ts';
import type { CompiledPolicy } from '../policy/evaluate.ts';
import type { EpochMs } from '../time.ts';
import { type Outcome, instant, operation } from './operation.ts';
import { type ShownFiles, isCalled, shownFiles } from './shown-file.ts';

interface FileText {
  readonly file: string;
  readonly text: string;
}

/** The files of the policy, followed while they change. */
export interface FollowedPolicy {
  loaded(): {
    readonly compiled: CompiledPolicy;
    readonly revision: string;
    readonly testsPassed: number;
    readonly files: readonly FileText[];
  };
  problems(): readonly Problem[];
  since(): { readonly at: EpochMs; readonly by: 'start' | 'reload' };
  /** The newest files, when they are not in force and could be read. */
  refused(): readonly FileText[] | undefined;
  /** undefined: not worked out yet. */
  review(): Promise<PolicyReview | undefined>;
  reload(): Promise<void>;
}

export interface PolicyFilesParts {
  readonly policyFiles: FollowedPolicy;
}

/** Lines of a file on one page. */
const pageLines = 400;

const found = z.object({ file: z.string(), line: z.number(), message: z.string() });

const policyAnswer = z.object({
  revision: z.string(),
  rules: z.number(),
  /** Of newer files, which are not in force. */
  problems: z.array(found),
  since: z.string(),
  by: z.enum(['start', 'reload']),
  testsPassed: z.number(),
  /** null: not worked out yet. */
  review: z
    .object({
      /** null: there was no reload since the start. */
      changes: z
        .object({ lines: z.array(z.object({ sign: z.enum(['+', '-', '~']), text: z.string() })), isWhole: z.boolean() })
        .nullable(),
      lints: z.array(found.extend({ isProblem: z.boolean() })),
      unexercised: z.array(z.object({ name: z.string(), file: z.string(), line: z.number() })),
    })
    .nullable(),
  files: z.array(z.object({ file: z.string(), lines: z.number(), problems: z.number() })),
  /** `isRefused`: as it stands in the newest files, which are not in force. Hashes are masked. */
  shown: z
    .object({
      file: z.string(),
      isRefused: z.boolean(),
      from: z.number(),
      total: z.number(),
      lines: z.array(z.string()),
    })
    .nullable(),
});

export type PolicyAnswer = z.infer<typeof policyAnswer>;

const which = z.object({
  file: z.string().max(4096).optional(),
  line: z.coerce.number().int().min(1).max(10_000_000).optional(),
});

export const policyOperation = operation<PolicyFilesParts>()({
  method: 'GET',
  path: '/policy',
  summary: 'The policy in force: files, problems of newer ones, what the last reload changed, tests and lints.',
  needs: 'inspect',
  input: which,
  answer: policyAnswer,
  run: ({ policyFiles }, _viewer, wish) => answerOf(policyFiles, wish),
});

export const reloadOperation = operation<PolicyFilesParts>()({
  method: 'POST',
  path: '/policy/reload',
  summary: 'Reads the policy files now.',
  needs: 'administer',
  input: z.object({}),
  answer: policyAnswer,
  async run({ policyFiles }) {
    await policyFiles.reload();
    return answerOf(policyFiles, {});
  },
});

async function answerOf(files: FollowedPolicy, wish: z.output<typeof which>): Promise<Outcome<PolicyAnswer>> {
  const { compiled, revision, testsPassed, files: inForce } = files.loaded();
  const problems = files.problems();
  const review = await files.review();
  const { at, by } = files.since();
  const refused = new Map((files.refused() ?? []).map((each) => [each.file, each]));
  const every = [...new Set([...inForce.map(({ file }) => file), ...refused.keys()])].sort();
  const names = shownFiles(every);
  const shown = shownOf(inForce, files.refused(), problems, wish, names);
  if (shown === undefined) return { ok: false, reason: 'unknown', detail: 'there is no such policy file' };
  return {
    ok: true,
    answer: {
      revision,
      rules: compiled.policy.rules.length,
      problems: problems.map((each) => toFound(each, names)),
      since: instant(at),
      by,
      testsPassed,
      review:
        review === undefined
          ? null
          : {
              changes:
                review.changes === undefined
                  ? null
                  : {
                      ...review.changes,
                      lines: review.changes.lines.map((each) => ({ ...each, text: names.words(each.text) })),
                    },
              lints: review.lints.map((each) => ({ ...toFound(each, names), isProblem: each.isProblem })),
              unexercised: review.unexercised.map((each) => ({ ...each, file: names.name(each.file) })),
            },
      files: every.map((file) => {
        const text = (refused.get(file) ?? inForce.find((each) => each.file === file))?.text ?? '';
        return {
          file: names.name(file),
          lines: lineCount(text),
          problems: problems.filter((each) => each.file === file).length,
        };
      }),
      shown,
    },
  };
}

function toFound({ file, line, message }: Problem, names: ShownFiles): z.infer<typeof found> {
  return { file: names.name(file), line, message: names.words(message) };
}

function lineCount(text: string): number {
  return text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
}

/** The file asked for, else the first with a problem, else the first. A file with problems is shown as it was refused. */
function shownOf(
  inForce: readonly FileText[],
  refused: readonly FileText[] | undefined,
  problems: readonly Problem[],
  { file: wished, line = 1 }: z.output<typeof which>,
  names: ShownFiles,
): PolicyAnswer['shown'] | undefined {
  const every = [...inForce, ...(refused ?? [])];
  const isWished = ({ file }: FileText): boolean => wished !== undefined && isCalled(file, wished);
  const named = (every.find(({ file }) => names.name(file) === wished) ?? every.find(isWished))?.file ?? wished;
  const file = named ?? problems.find((each) => each.line > 0)?.file ?? inForce[0]?.file;
  if (file === undefined) return null;
  const bad = problems.some((each) => each.file === file) ? refused?.find((each) => each.file === file) : undefined;
  const chosen = bad ?? inForce.find((each) => each.file === file) ?? refused?.find((each) => each.file === file);
  if (chosen === undefined) return wished === undefined ? null : undefined;
  const masked = maskedLines(chosen.text);
  const lines = masked.at(-1) === '' ? masked.slice(0, -1) : masked;
  const first = wished === undefined ? (problems.find((each) => each.file === file)?.line ?? 1) : line;
  const from = Math.floor((Math.min(Math.max(first, 1), Math.max(lines.length, 1)) - 1) / pageLines) * pageLines + 1;
  return {
    file: names.name(file),
    isRefused: bad !== undefined,
    from,
    total: lines.length,
    lines: lines.slice(from - 1, from - 1 + pageLines),
  };
}
