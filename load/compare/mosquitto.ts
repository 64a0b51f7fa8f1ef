// Mosquitto: no persistence, no log, and no limit at which it drops messages.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Child } from './child.ts'
import { programPath, programVersion } from './programs.ts'
import { type BrokerKind, freePort, type StartedBroker, started } from './started.ts'

function configuration(port: number): string {
  return [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence false',
    'log_type none',
    'max_inflight_messages 0',
    'max_queued_messages 0',
    'max_inflight_bytes 0',
    'max_queued_bytes 0',
    'set_tcp_nodelay true',
    ''
  ].join('\n')
}

async function start(core: number | undefined): Promise<StartedBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'load-mosquitto-'))
  const port = await freePort()
  const file = join(folder, 'mosquitto.conf')
  writeFileSync(file, configuration(port))
  const child = new Child(core, programPath('mosquitto') ?? 'mosquitto', ['-c', file])
  return await started([{ child, port }], () => rmSync(folder, { recursive: true, force: true }))
}

export const mosquitto: BrokerKind = { version: () => programVersion('mosquitto', ['-h']), start }
