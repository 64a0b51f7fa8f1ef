// What is wrong here does not compile; that it runs is beside the point.
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { test } from 'node:test'
import { type Reply, type Tentacoli, tentacoli } from '../../broker/tentacoli/index.ts'

interface Question {
  cmd: 'add' | 'list'
  numbers: number[]
}

test('messages have the types of the program', async () => {
  const [asker, answerer] = [tentacoli(), tentacoli<Question>()]
  asker.pipe(answerer).pipe(asker)
  answerer.on('request', (question, reply: Reply) => {
    const command: 'add' | 'list' = question.cmd
    // @ts-expect-error: no such field
    question.other
    reply(null, { command, sum: question.numbers.reduce((sum, each) => sum + each, 0) })
  })
  const { sum } = await asker.request<{ sum: number }>({ cmd: 'add', numbers: [1, 2] })
  assert.equal(sum.toFixed(1), '3.0')
  const untyped = await asker.request({ cmd: 'add', numbers: [] })
  const streams: Readonly<Record<string, Duplex>> | undefined = untyped.streams
  assert.equal(streams, undefined)
  // @ts-expect-error: it may be anything, so it is to be looked at first
  untyped['sum'].toFixed(1)

  const same: Tentacoli = asker.request({ cmd: 'add', numbers: [] }, error => assert.equal(error, null))
  same.on('data', (chunk: Buffer) => chunk.length).on('error', error => error.message)
  same.once('close', () => {})
})
