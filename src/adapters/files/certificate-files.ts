/** A certificate and its key on disk, followed while they change. */
import { readFileSync } from 'node:fs';

export interface CertificateTexts {
  readonly cert: string;
  readonly key: string;
}

/** Throws when one of them cannot be read. */
export function readCertificate(files: CertificateTexts): CertificateTexts {
  return { cert: readFileSync(files.cert, 'utf8'), key: readFileSync(files.key, 'utf8') };
}

export interface FollowedCertificate {
  /** Why the newest files are not in use, or why what is in use is no good any more; undefined while all is well. */
  readonly problem: () => string | undefined;
  close(): void;
}

export interface CertificateOptions {
  /** Why a pair must not be served, as of now. */
  readonly objection: (texts: CertificateTexts) => string | undefined;
  /** Puts a new pair into use. */
  readonly use: (texts: CertificateTexts) => void;
  /** Called with the words of a problem when it comes or changes, with undefined when it has gone. */
  readonly onProblem: (problem: string | undefined) => void;
  readonly pollMs: number;
}

/** `first` is in use. Polls, because secrets are mounted through symlinks; a bad pair leaves the last good one in use. */
export function followCertificate(
  files: CertificateTexts,
  first: CertificateTexts,
  { objection, use, onProblem, pollMs }: CertificateOptions,
): FollowedCertificate {
  let used = first;
  let problem: string | undefined;

  function look(): string | undefined {
    try {
      const texts = readCertificate(files);
      const found = objection(texts);
      if (found === undefined && (texts.cert !== used.cert || texts.key !== used.key)) {
        use(texts);
        used = texts;
      }
      return found;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  const timer = setInterval(() => {
    const before = problem;
    problem = look();
    if (problem !== before) onProblem(problem);
  }, pollMs).unref();
  return { problem: () => problem, close: () => clearInterval(timer) };
}
