/** Where the public keys come from by which tokens of others are checked. */

/** Texts of servers and files, at most 64 KiB each. Neither rejects. */
export interface IssuerDocuments {
  /**
   * What an https address answers within three seconds, redirects on the same host followed. `ca`: file of the
   * authorities that its certificate must come from; without one, those that the system trusts.
   */
  get(url: string, ca: string | undefined): Promise<DocumentReading>;
  read(path: string): Promise<DocumentReading>;
}

/** `detail`: what went wrong, in words for operators. */
export type DocumentReading =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly detail: string };
