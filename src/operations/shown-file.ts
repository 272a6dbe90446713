/** Policy files as people are shown them: where they lie on the machine is for whoever runs it. */

/** `areas.yaml` for one outside the working directory; others by their way from there, as they are. */
export function shownFile(file: string): string {
  return isAbsolute(file) ? file.slice(file.lastIndexOf('/') + 1) : file;
}

/** A line of the log about a problem, which begins with the file. */
export function withShownStart(text: string): string {
  return text.replace(/^\/(?:[^/:]+\/)*(?=[^/:]+:)/, '');
}

function isAbsolute(file: string): boolean {
  return file.startsWith('/');
}

/** A sentence that may name some of these files. */
export function withShownFiles(text: string, files: Iterable<string>): string {
  if (!text.includes('/')) return text;
  let shown = text;
  for (const file of new Set(files)) if (isAbsolute(file)) shown = shown.replaceAll(file, shownFile(file));
  return shown;
}
