/** `portcullis schema`: what editors need to complete and check the files. */
import { type ExitCode, exitCodes } from './exit-codes.ts';
import type { SchemaKind } from './json-schemas.ts';
import { type Command, example } from './verb.ts';

/** `schema policy|config`. */
export function addSchema(program: Command, done: (code: ExitCode) => void): void {
  program
    .command('schema')
    .addArgument(program.createArgument('<kind>', 'the kind of file').choices(['policy', 'config']))
    .description('print the JSON Schema (draft-07) of policy files or of the configuration')
    .addHelpText('after', example('portcullis schema policy > schema/policy.schema.json'))
    .action(async (kind: SchemaKind) => {
      process.stdout.write((await import('./json-schemas.ts')).schemaText(kind));
      done(exitCodes.ok);
    });
}
