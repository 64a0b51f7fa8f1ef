#!/usr/bin/env node
// The process: its arguments, its output, its exit code.
import { outlivesOutput, run } from './cli/program.ts'

const argv = process.argv.slice(2)
const lineFeed = Buffer.from('\n')

process.stdout.on('error', () => {
  // Nobody reads our output any more (`shoal sub | head -1`).
  if (!outlivesOutput(argv)) process.exit(0)
})

const exitCode = await run(argv, {
  out: line => process.stdout.write(`${line}\n`),
  outBytes: bytes => process.stdout.write(Buffer.concat([bytes, lineFeed])),
  error: line => process.stderr.write(`${line}\n`),
  environment: process.env
})

// Whatever is still open has been given its time; what was printed leaves first.
process.stdout.write('', () => process.exit(exitCode))
