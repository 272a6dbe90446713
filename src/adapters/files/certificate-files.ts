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

/** Calls back with both texts whenever either has changed; polls, because secrets are mounted through symlinks. Returns how to stop. */
export function followCertificate(
  files: CertificateTexts,
  first: CertificateTexts,
  onChange: (texts: CertificateTexts) => void,
  pollMs: number,
): () => void {
  let last = first;
  const timer = setInterval(() => {
    let texts: CertificateTexts;
    try {
      texts = readCertificate(files);
    } catch {
      return;
    }
    if (texts.cert === last.cert && texts.key === last.key) return;
    last = texts;
    onChange(texts);
  }, pollMs).unref();
  return () => clearInterval(timer);
}
