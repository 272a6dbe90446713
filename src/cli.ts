#!/usr/bin/env node
/** The command line: reads arguments, calls one function each. */
import { runCommandLine } from './cli/program.ts';

process.exitCode = await runCommandLine(process.argv);
