// The machine a figure was taken on: without it, a figure says little.
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'

export interface Machine {
  cpu: string
  cores: number
  memoryGib: number
  kernel: string
  node: string
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: Math.max(cpus().length, availableParallelism()),
    memoryGib: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    kernel: `${type()} ${release()}`,
    node: process.version
  }
}
