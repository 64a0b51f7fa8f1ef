// All that are compared. The first one's figures are those that the others are compared with.
import type { Contender } from './contender.ts'

interface Entry {
  title: string
  load(): Promise<Contender>
}

/** Each is loaded only by the processes that run it. */
export const CONTENDERS = {
  link: { title: 'Shoal, link', load: async () => (await import('./link.ts')).link },
  tentacoli: {
    title: 'Shoal, tentacoli()',
    load: async () => (await import('./tentacoli.ts')).ourTentacoli
  },
  package: {
    title: 'tentacoli 1.0 (npm)',
    load: async () => (await import('./tentacoli-package.ts')).tentacoliPackage
  },
  http2: { title: 'node:http2', load: async () => (await import('./http2.ts')).http2 },
  socket: { title: 'bare socket', load: async () => (await import('./socket.ts')).socket }
} as const satisfies Record<string, Entry>

export type ContenderName = keyof typeof CONTENDERS

export function isContender(name: string): name is ContenderName {
  return Object.hasOwn(CONTENDERS, name)
}
