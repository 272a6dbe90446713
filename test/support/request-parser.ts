/** Strict framing of HTTP/1.1 requests, so that what reaches a registry is seen byte for byte. */

/** One request as it arrived, byte for byte. */
export interface Received {
  readonly line: string;
  /** In the order and spelling they arrived. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The first 64 KiB of the content, without chunk sizes. */
  readonly body: Buffer;
  readonly bodyLength: number;
  /** Which accepted connection it came over, counted from 1. */
  readonly connection: number;
}

const keptBytes = 65_536;

/** Bytes that are no request become a request with an odd line, never nothing. */
export function createRequestParser(
  connection: number,
  handler: { readonly onHead: (request: Received) => void; readonly onRequest: (request: Received) => void },
): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  let state: 'head' | 'length' | 'chunk-size' | 'chunk-data' | 'chunk-end' | 'trailer' = 'head';
  let remaining = 0;
  let head: Pick<Received, 'line' | 'headers'> = { line: '', headers: [] };
  let kept: Buffer[] = [];
  let bodyLength = 0;

  const current = (): Received => ({ ...head, body: Buffer.concat(kept), bodyLength, connection });
  const finish = (): void => {
    state = 'head';
    handler.onRequest(current());
  };
  const takeLine = (end: string): string | undefined => {
    const at = pending.indexOf(end);
    if (at === -1) return undefined;
    const text = pending.toString('latin1', 0, at);
    pending = pending.subarray(at + end.length);
    return text;
  };
  const takeBody = (): void => {
    const part = pending.subarray(0, remaining);
    if (bodyLength < keptBytes) kept.push(Buffer.from(part.subarray(0, keptBytes - bodyLength)));
    bodyLength += part.length;
    remaining -= part.length;
    pending = pending.subarray(part.length);
  };
  /** false when more bytes are needed. */
  const step = (): boolean => {
    switch (state) {
      case 'head': {
        const text = takeLine('\r\n\r\n');
        if (text === undefined) return false;
        const [line = '', ...lines] = text.split('\r\n');
        head = { line, headers: lines.map(splitHeader) };
        kept = [];
        bodyLength = 0;
        handler.onHead(current());
        remaining = Number(valueOf(head.headers, 'content-length') ?? 0);
        if (valueOf(head.headers, 'transfer-encoding') !== undefined) state = 'chunk-size';
        else if (remaining > 0) state = 'length';
        else finish();
        return true;
      }
      case 'length':
      case 'chunk-data':
        if (pending.length === 0) return false;
        takeBody();
        if (remaining > 0) return false;
        if (state === 'length') finish();
        else state = 'chunk-end';
        return true;
      case 'chunk-end':
        if (takeLine('\r\n') === undefined) return false;
        state = 'chunk-size';
        return true;
      case 'chunk-size': {
        const line = takeLine('\r\n');
        if (line === undefined) return false;
        remaining = Number.parseInt(line, 16);
        state = remaining === 0 ? 'trailer' : 'chunk-data';
        return true;
      }
      case 'trailer': {
        const line = takeLine('\r\n');
        if (line === undefined) return false;
        if (line === '') finish();
        return true;
      }
    }
  };
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    while (step());
  };
}

function splitHeader(line: string): readonly [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

/** The first value of a header, whatever the case of its name. */
export function valueOf(headers: Received['headers'], name: string): string | undefined {
  return headers.find(([candidate]) => candidate.toLowerCase() === name)?.[1];
}
