/** What the machine grants: room on disk, open files, memory, and a log that keeps up. */
import { judgeAuditRoom } from './audit-room.ts';
import { type Check, type Outcome, fail, ok, skip, warn, worst } from './check.ts';
import { type Context, isFailure } from './context.ts';
import { metricOf, troublesOf } from './running.ts';

const gib = 1024 ** 3;
const mib = 1024 ** 2;
const fewFiles = 8192;
const smallMemory = 256 * mib;
const auditFix = 'give audit.directory to the user of the gateway, and make room';
const storeFix = 'give stateDir to the user of the gateway, and make room';

export const machineChecks: readonly Check[] = [
  {
    number: 22,
    name: 'state directory',
    async run(context) {
      const { config, machine } = context;
      const path = config.stateDir;
      const { exists, trouble, mode, freeBytes, isTmpfs } = await machine.directory(path);
      if (trouble !== undefined)
        return fail(
          `nothing can be written to ${path}: ${trouble}`,
          'give it to the user of the gateway, or set stateDir',
        );
      if (freeBytes < gib)
        return fail(
          `${path} has ${Math.floor(freeBytes / mib)} MiB left`,
          'make room, or set stateDir to another disk',
        );
      if (exists && (mode & 0o077) !== 0)
        return warn(`others may look into ${path} (mode ${mode.toString(8)})`, `chmod 700 ${path}`);
      const [unwritten] = config.redis === undefined ? await troublesOf(context, ['store'], storeFix) : [];
      if (unwritten !== undefined) return unwritten;
      if (isTmpfs) return warn(`${path} is in memory, and gone with the machine`, 'set stateDir to a disk');
      return ok(
        `${path} ${exists ? 'can be written' : 'will be made at the first start'}, ${Math.floor(freeBytes / gib)} GiB left`,
      );
    },
  },
  {
    number: 23,
    name: 'open files and memory',
    async run({ machine, gateway }) {
      // Of a service it is another one than of the shell in which doctor runs.
      const files = metricOf(await gateway.metrics(), 'process_max_fds') ?? machine.descriptorLimit();
      const memory = machine.memoryLimit();
      if (files !== undefined && files < fewFiles)
        return fail(
          `${files} open files: two for each transfer`,
          'LimitNOFILE=65536 (systemd), ulimit -n 65536, or --ulimit nofile=65536',
        );
      if (memory !== undefined && memory < smallMemory)
        return fail(`${Math.floor(memory / mib)} MiB of memory`, 'give it 256 MiB or more');
      if (files === undefined) return skip('this system does not tell');
      const room = memory === undefined ? 'memory as the machine has' : `${Math.floor(memory / mib)} MiB of memory`;
      return ok(`${files === Infinity ? 'any number of' : files} open files, ${room}`);
    },
  },
  {
    number: 28,
    name: 'log',
    run: async (context) =>
      worst([await lostLines(context), ...auditRoom(context), ...(await troublesOf(context, ['audit'], auditFix))]),
  },
];

async function lostLines({ gateway }: Context): Promise<Outcome> {
  const metrics = await gateway.metrics();
  if (isFailure(metrics)) return skip(`the running gateway counts lost lines, and does not answer: ${metrics.failed}`);
  const lost = metricOf(metrics, 'portcullis_audit_dropped_total');
  if (lost === undefined) return skip('the running gateway does not count lost lines');
  if (lost === 0) return ok('no line of the log was lost');
  const found = `${lost} lines of the log were lost: standard output or the audit directory does not take them`;
  return fail(found, 'send it to what keeps up, such as a file or journald, and make room for audit files');
}

function auditRoom({ config: { audit }, machine, now }: Context): readonly Outcome[] {
  const { directory } = audit;
  if (directory === undefined) return [];
  return [judgeAuditRoom(machine.room(directory), { ...audit, directory }, now())];
}
