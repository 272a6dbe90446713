/**
 * What the gateway writes to the registry itself, over node:http: one request each, sent a second time only where the
 * registry refused it for want of a newer login. A redirect is broken.
 */
import { type Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type Readable, promises as streams } from 'node:stream';
import { runningDigest } from '../../distribution/digest.ts';
import { field, parseJson } from '../../distribution/json.ts';
import { uploadLocation } from '../../distribution/own-target.ts';
import { registryAddress } from '../../distribution/registry-address.ts';
import { registryScope } from '../../distribution/registry-scope.ts';
import { formatTarget } from '../../distribution/target.ts';
import { parseDigest, parseRepositoryName } from '../../distribution/reference.ts';
import type {
  Deleted,
  Mounting,
  RegistryWriter,
  StoredManifest,
  UpstreamLogin,
  WriteFailure,
  Written,
} from '../../ports.ts';
import { loggedIn } from './logged-in.ts';
import { type Origins, hostsOf } from './upstream-headers.ts';

export interface WriteTerms {
  readonly origins: Origins;
  /** Keeps no connection: a request that changes something never meets a stale one. */
  readonly agent: Agent;
  /** Milliseconds without a byte while content is on its way. */
  readonly idleMs: number;
  /** Milliseconds the registry may think once it has everything. */
  readonly responseMs: number;
  /** Absent: nobody logs in there. */
  readonly login?: UpstreamLogin | undefined;
}

/** Bytes of an answer that are read; what a write is answered is a few lines. */
const maxAnswerBytes = 65_536;
/** Characters of what the registry says that are kept. */
const maxDetail = 200;

/** A writer that throws nothing: whatever the registry does is an outcome. */
export function createRegistryWriter(terms: WriteTerms): RegistryWriter {
  const hosts = hostsOf(terms.origins);
  const send = terms.login === undefined ? sender(terms) : loggedInSender(terms.login, sender(terms));
  return {
    async openUpload(repository) {
      const target = uploadTarget(repository);
      if (target === undefined) return unusableName;
      const sent = await send('POST', target, {}, empty);
      return 'ok' in sent ? sent : opened(sent, { repository, hosts });
    },
    async mountBlob(repository, digest, from) {
      const target = mountTarget(repository, digest, from);
      if (target === undefined) return unusableName;
      const sent = await send('POST', target, {}, empty);
      if ('ok' in sent) return sent;
      if (sent.status !== 201) return opened(sent, { repository, hosts });
      return isOther(sent.headers, digest) ? broken('it mounted another blob') : { ok: true, upload: undefined };
    },
    async sendBlob(upload, { digest, size }, content) {
      const target = `${upload.target}${upload.target.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
      const headers = { 'content-type': 'application/octet-stream' };
      // It may break off when nobody reads it yet, or any more.
      content.on('error', () => {});
      const sent = await send('PUT', target, headers, { size, stream: checked(content, digest, size) });
      content.destroy();
      const written = 'ok' in sent ? sent : writtenAs(sent, digest);
      if (!written.ok) await this.cancelUpload(upload);
      return written;
    },
    async cancelUpload({ target }) {
      await send('DELETE', target, {}, undefined);
    },
    async putManifest(repository, reference, { content, digest, mediaType }: StoredManifest) {
      const target = `/v2/${repository}/manifests/${reference}`;
      const type = manifestType(content, mediaType);
      const headers = type === undefined ? {} : { 'content-type': type };
      const sent = await send('PUT', target, headers, { size: content.length, stream: [content] });
      return 'ok' in sent ? sent : writtenAs(sent, digest);
    },
    async deleteManifest(repository, reference) {
      const sent = await send('DELETE', `/v2/${repository}/manifests/${reference}`, {}, undefined);
      return 'ok' in sent ? sent : deletedAs(sent);
    },
  };
}

/** What it was known by where it comes from, if that says more than that it is JSON. */
function manifestType(content: Buffer, known: string | undefined): string | undefined {
  if (known?.startsWith('application/vnd.') === true) return known;
  const own = field(parseJson(content), 'mediaType');
  return typeof own === 'string' && /^application\/[\w.+-]+$/.test(own) ? own : known;
}

function uploadTarget(repository: string): string | undefined {
  const into = parseRepositoryName(repository);
  return into === undefined ? undefined : formatTarget({ kind: 'upload-start', repository: into });
}

function mountTarget(repository: string, digest: string, from: string): string | undefined {
  const [into, source, blob] = [parseRepositoryName(repository), parseRepositoryName(from), parseDigest(digest)];
  if (into === undefined || source === undefined || blob === undefined) return undefined;
  return formatTarget({ kind: 'upload-start', repository: into, mount: { digest: blob, from: source } });
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

interface Content {
  readonly size: number;
  readonly stream: AsyncIterable<Buffer> | Iterable<Buffer>;
}

const empty: Content = { size: 0, stream: [] };

type Send = (
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  headers: Readonly<Record<string, string>>,
  content: Content | undefined,
) => Promise<Answer | WriteFailure>;

function loggedInSender(login: UpstreamLogin, send: Send): Send {
  return (method, path, headers, content) =>
    loggedIn<Answer | WriteFailure>({
      login,
      scope: registryScope(method, path),
      send: (authorization) => send(method, path, { ...headers, ...(authorization && { authorization }) }, content),
      headOf: (answer) => ('ok' in answer ? undefined : { statusCode: answer.status, headers: answer.headers }),
      mayRepeat: () => content === undefined || Array.isArray(content.stream),
    });
}

function sender({ origins, agent, idleMs, responseMs }: WriteTerms): Send {
  const { host, protocol } = origins.upstream;
  const address = registryAddress(origins.upstream);
  const open = protocol === 'https:' ? httpsRequest : httpRequest;
  return (method, path, headers, content) =>
    new Promise((resolve) => {
      const length = content === undefined ? {} : { 'content-length': String(content.size) };
      const request = open({
        ...address,
        method,
        path,
        agent,
        headers: { ...headers, ...length, host },
        timeout: idleMs,
      });
      let reason: WriteFailure['reason'] = 'unreachable';
      // An answer that comes before all was sent is the answer: registries refuse early, and may hang up then.
      let isAnswered = false;
      const fail = (error: Error): void => resolve({ ok: false, reason, detail: error.message });
      request.on('socket', (socket) => {
        if (socket.connecting) socket.once('connect', () => (reason = 'broken'));
        else reason = 'broken';
      });
      request.on('timeout', () => {
        reason = 'timeout';
        request.destroy(new Error('nothing moved in time'));
      });
      request.on('error', (error) => isAnswered || fail(error));
      // The socket is nobody's from here on: an error given to it would end the process.
      request.on('upgrade', (_response, socket) => {
        socket.destroy();
        fail(new Error('the registry switched protocols'));
      });
      request.on('close', () => isAnswered || fail(new Error('no answer')));
      request.on('response', (response) => {
        isAnswered = true;
        readAnswer(response)
          .then(resolve, fail)
          // Answered before it had everything: it may keep the connection to wait for the rest.
          .finally(() => request.writableFinished || request.destroy());
      });
      void feed(request, content, (error) => {
        if (isAnswered) return;
        reason = 'broken';
        fail(error);
        request.destroy();
      }).then(() => request.setTimeout(responseMs));
    });
}

async function feed(
  request: ClientRequest,
  content: Content | undefined,
  onFailure: (error: Error) => void,
): Promise<void> {
  try {
    await streams.pipeline(content?.stream ?? [], request);
  } catch (error) {
    onFailure(error instanceof Error ? error : new Error(String(error)));
  }
}

async function readAnswer(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

/** The same content, ended with an error before its last part where it is not what the digest says. */
async function* checked(content: Readable, digest: string, size: number): AsyncGenerator<Buffer> {
  const running = runningDigest(digest);
  if (running === undefined) throw new Error('a digest of an unknown algorithm');
  let passed = 0;
  let isChecked = false;
  for await (const part of content as AsyncIterable<Buffer>) {
    passed += part.length;
    if (passed > size) throw new Error(`more than the ${size} bytes that the manifest says`);
    running.add(part);
    if (passed === size && !isChecked) {
      isChecked = true;
      if (!running.matches()) throw new Error('the content has another digest');
    }
    if (part.length > 0) yield part;
  }
  if (passed !== size) throw new Error(`${passed} of ${size} bytes came`);
  if (!isChecked && !running.matches()) throw new Error('the content has another digest');
}

function opened(
  { status, headers, body }: Answer,
  { repository, hosts }: { readonly repository: string; readonly hosts: readonly string[] },
): Mounting {
  if (status !== 202) return unexpected(status, body);
  const location = uploadLocation(headers.location ?? '', repository, hosts);
  if (location === undefined) return broken('its upload location cannot be used');
  return { ok: true, upload: { repository, target: location.target } };
}

function writtenAs({ status, headers, body }: Answer, digest: string): Written {
  if (status !== 201) return unexpected(status, body);
  return isOther(headers, digest) ? broken('it names another digest than that of the content') : { ok: true };
}

/** distribution 2.8 takes a tag for a digest that is not its own (400), and where nothing may be deleted answers 405. */
function deletedAs({ status, body }: Answer): Deleted {
  if (status === 200 || status === 202 || status === 204) return { ok: true };
  const code = field(parseJson(body), 'errors', '0', 'code');
  const isUnsupported = status === 405 || (status === 400 && (code === 'DIGEST_INVALID' || code === 'UNSUPPORTED'));
  const { detail, ...failed } = unexpected(status, body);
  if (status === 404) return { ok: false, reason: 'unknown', detail };
  return isUnsupported ? { ok: false, reason: 'unsupported', detail } : { ...failed, detail };
}

/** Whether the answer names a digest, and not this one. */
function isOther(headers: IncomingMessage['headers'], digest: string): boolean {
  const named = headers['docker-content-digest'];
  return named !== undefined && named !== digest;
}

function unexpected(status: number, body: Buffer): WriteFailure {
  const said = field(parseJson(body), 'errors', '0', 'message');
  const detail = `${status}${typeof said === 'string' ? `: ${said}` : ''}`.slice(0, maxDetail);
  if (status === 429) return { ok: false, reason: 'limited', detail };
  const isRefusal = status >= 400 && status < 500 && status !== 401 && status !== 403;
  return { ok: false, reason: isRefusal ? 'refused' : 'broken', detail };
}

function broken(detail: string): WriteFailure {
  return { ok: false, reason: 'broken', detail };
}

const unusableName = broken('a name or digest that no request can carry');
