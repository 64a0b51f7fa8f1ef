// What a program written for tentacoli 1.0 relies on, as a suite that runs on any implementation of it: on ours, and on
// the original, which is the proof that the suite asks for no more than that.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex, Readable as ReadableStream, Writable as WritableStream } from 'node:stream'
import { describe, test } from 'node:test'
import { withDeadline } from '../support/deadline.ts'

/** An instance as such a program sees it. */
export interface Instance extends NodeJS.EventEmitter {
  request(message: unknown, done: (error: Error | null, answer: Message) => void): unknown
  fire(message: unknown, done?: (error: Error | null) => void): unknown
  destroy(error?: Error): unknown
  end(): unknown
}

/** A message; a text, or null, where a test sends one. */
export interface Message {
  streams: Record<string, Duplex>
  [name: string]: unknown
}

export type Reply = (error?: Error | null, message?: unknown) => void

export type Make = (options?: object) => Instance

/** The stream library of programs of that time, which is not Node's own. */
interface OldStreams {
  Readable: new (options: object) => ReadableStream
  Writable: new (options: object) => WritableStream
  Transform: new (options: object) => Duplex
}
const ours = createRequire(import.meta.url)
export const old = createRequire(ours.resolve('tentacoli'))('readable-stream') as OldStreams

/** Objects, one a read, then the end. */
export function listOf(...objects: unknown[]): ReadableStream {
  return new old.Readable({
    objectMode: true,
    read(this: ReadableStream) {
      this.push(objects.shift() ?? null)
    }
  })
}

export function collector(done: (objects: unknown[]) => void): WritableStream {
  const objects: unknown[] = []
  const stream = new old.Writable({
    objectMode: true,
    write(object: unknown, _encoding: string, next: () => void) {
      objects.push(object)
      next()
    }
  })
  return stream.on('finish', () => done(objects))
}

function through(): Duplex {
  return new old.Transform({
    objectMode: true,
    transform(object: unknown, _encoding: string, next: (error: null, object: unknown) => void) {
      next(null, object)
    }
  })
}

/** Runs `use` with two instances piped into each other; settles when it calls back. */
function pair(make: Make, options: object | undefined, use: (both: Both) => void): Promise<void> {
  return withDeadline(
    new Promise<void>((resolve, reject) => {
      const [sender, receiver] = [make(options), make(options)]
      const [from, to] = [sender as unknown as Duplex, receiver as unknown as Duplex]
      from.pipe(to).pipe(from)
      use({ sender, receiver, done: error => (error ? reject(error) : resolve()) })
    }),
    'the last call'
  )
}

interface Both {
  sender: Instance
  receiver: Instance
  done(error?: Error | null): void
}

export function tentacoliSuite(name: string, make: Make): void {
  const check = (title: string, use: (both: Both) => void, options?: object): void => {
    test(title, () => pair(make, options, use))
  }

  describe(name, () => {
    for (const [what, message, answer] of [
      ['a text', 'the question', '42'],
      ['an object', { cmd: 'the question' }, { res: '42' }]
    ]) {
      check(`${what} is asked, and one is answered`, ({ sender, receiver, done }) => {
        receiver.on('request', (request: unknown, reply: Reply) => {
          assert.deepEqual(request, message)
          reply(null, answer)
        })
        sender.request(message, (error, got) => {
          assert.deepEqual(got, answer)
          done(error)
        })
      })
    }

    check('a handler may answer with nothing', ({ sender, receiver, done }) => {
      receiver.on('request', (_request: unknown, reply: Reply) => reply())
      sender.request('r', (error, got) => {
        assert.ok(!got)
        done(error)
      })
    })

    check('the error of a handler arrives with its message, and is told on its own side', both => {
      const { sender, receiver, done } = both
      let told: Error | null = null
      receiver.on('responseError', (error: Error) => {
        told = error
      })
      receiver.on('request', (_request: unknown, reply: Reply) => reply(new Error('something went wrong')))
      sender.request('r', error => {
        assert.ok(error instanceof Error)
        assert.equal(error.message, 'something went wrong')
        assert.ok(told instanceof Error)
        done()
      })
    })

    check('answers find their questions, whatever the order', ({ sender, receiver, done }) => {
      const replies: (() => void)[] = []
      receiver.on('request', (request: { i: number }, reply: Reply) => {
        replies.unshift(() => reply(null, { i: request.i }))
        if (replies.length === 50) for (const each of replies) each()
      })
      let answered = 0
      for (let i = 0; i < 50; i++) {
        sender.request({ i }, (_error, got) => {
          assert.equal(got['i'], i)
          if (++answered === 50) done()
        })
      }
    })

    check(
      'only so many requests are handled at once; the others wait their turn, in order',
      both => {
        const { sender, receiver, done } = both
        const order: number[] = []
        let running = 0
        receiver.on('request', ({ i }: { i: number }, reply: Reply) => {
          order.push(i)
          assert.ok(++running <= 3)
          setImmediate(() => {
            running--
            reply(null, {})
          })
        })
        let answered = 0
        for (let i = 0; i < 20; i++) {
          sender.request({ i }, () => {
            if (++answered < 20) return
            assert.deepEqual(
              order,
              Array.from({ length: 20 }, (_, each) => each)
            )
            done()
          })
        }
      },
      { maxInflight: 3 }
    )

    check('objects of a readable stream arrive, from the asker', ({ sender, receiver, done }) => {
      receiver.on('request', (request: Message, reply: Reply) => {
        request.streams['events']!.pipe(
          collector(objects => {
            assert.deepEqual(objects, ['hello', 'streams'])
            reply()
          })
        )
      })
      sender.request({ streams: { events: listOf('hello', 'streams') } }, error => done(error))
    })

    check('objects of a readable stream arrive, in an answer', ({ sender, receiver, done }) => {
      receiver.on('request', (_request: unknown, reply: Reply) => {
        reply(null, { streams: { result: listOf('hello', 'streams') } })
      })
      sender.request({ cmd: 'subscribe' }, (error, { streams }) => {
        assert.equal(error, null)
        streams['result']!.pipe(
          collector(objects => {
            assert.deepEqual(objects, ['hello', 'streams'])
            done()
          })
        )
      })
    })

    check('a writable stream can be written to from afar, by either side', ({ sender, receiver, done }) => {
      let left = 2
      const expect = (object: unknown) =>
        collector(objects => {
          assert.deepEqual(objects, [object])
          if (--left === 0) done()
        })
      receiver.on('request', (request: Message, reply: Reply) => {
        request.streams['events']!.end({ from: 'receiver' })
        reply(null, { streams: { out: expect({ from: 'sender' }) } })
      })
      sender.request({ streams: { events: expect({ from: 'receiver' }) } }, (error, { streams }) => {
        assert.equal(error, null)
        streams['out']!.end({ from: 'sender' })
      })
    })

    check('a transform that is piped on is written to', ({ sender, receiver, done }) => {
      receiver.on('request', (_request: unknown, reply: Reply) => {
        const transform = through()
        transform.pipe(
          collector(objects => {
            assert.deepEqual(objects, [{ cmd: 'publish' }])
            done()
          })
        )
        reply(null, { streams: { transform } })
      })
      sender.request(null, (_error, { streams }) => streams['transform']!.end({ cmd: 'publish' }))
    })

    check('a transform that is piped into is read', ({ sender, receiver, done }) => {
      receiver.on('request', (_request: unknown, reply: Reply) => {
        reply(null, { streams: { result: listOf('hello', 'streams').pipe(through()) } })
      })
      sender.request(null, (_error, { streams }) => {
        streams['result']!.pipe(
          collector(objects => {
            assert.deepEqual(objects, ['hello', 'streams'])
            done()
          })
        )
      })
    })

    check('what a listener of the pipe throws fails the request, which never leaves', both => {
      const { sender, receiver, done } = both
      const writable = collector(() => {})
      const failure = new Error('no pipe')
      writable.on('pipe', () => {
        throw failure
      })
      receiver.on('request', () => done(new Error('the request has left')))
      sender.request({ streams: { writable } }, error => {
        assert.equal(error, failure)
        done()
      })
    })

    for (const [what, end] of [
      ['the other side ends', ({ receiver }: Both) => receiver.end()],
      ['the other side is destroyed', ({ receiver }: Both) => receiver.destroy(new Error('kaboom'))],
      ['this side is destroyed', ({ sender }: Both) => sender.destroy()],
      ['this side is destroyed by an error', ({ sender }: Both) => sender.destroy(new Error('kaboom'))]
    ] as const) {
      check(`a request fails when ${what}`, both => {
        const { sender, receiver, done } = both
        for (const each of [sender, receiver]) each.on('error', () => {})
        receiver.on('request', () => end(both))
        sender.request('r', error => {
          assert.ok(error instanceof Error)
          done()
        })
      })
    }

    check('what is fired arrives, and is told to have left', ({ sender, receiver, done }) => {
      let left = false
      receiver.on('request', (request: unknown) => {
        assert.deepEqual(request, { cmd: 'fired' })
        setImmediate(function wait() {
          if (left) done()
          else setImmediate(wait)
        })
      })
      sender.fire({ cmd: 'fired' }, error => {
        assert.ok(!error)
        left = true
      })
    })

    check('what cannot be fired is told', ({ sender, receiver, done }) => {
      receiver.on('request', () => done(new Error('it has left')))
      sender.fire({ streams: 'kaboom' }, error => {
        assert.ok(error instanceof Error)
        done()
      })
    })

    check('an answer to what was fired goes nowhere, and its streams are closed', both => {
      const { sender, receiver, done } = both
      receiver.on('request', (_request: unknown, reply: Reply) => {
        const writable = collector(() => done())
        writable.on('close', () => done()).on('error', () => {})
        reply(null, { streams: writable })
      })
      sender.fire('r', error => assert.ok(!error))
    })

    check('what is fired may bring streams', ({ sender, receiver, done }) => {
      receiver.on('request', (request: Message) => {
        request.streams['events']!.pipe(
          collector(objects => {
            assert.deepEqual(objects, ['hello', 'streams'])
            done()
          })
        )
      })
      sender.fire({ cmd: 'publish', streams: { events: listOf('hello', 'streams') } })
    })

    const tagged = {
      encode: (value: unknown) => Buffer.from(`tag${JSON.stringify(value)}`),
      decode: (bytes: Buffer) => {
        assert.equal(bytes.subarray(0, 3).toString(), 'tag')
        return JSON.parse(bytes.subarray(3).toString()) as unknown
      }
    }
    check(
      'messages and objects go through a codec of ours',
      ({ sender, receiver, done }) => {
        receiver.on('request', (request: unknown, reply: Reply) => {
          reply(null, { request, streams: { result: listOf({ a: 1 }, { b: 2 }) } })
        })
        sender.request({ cmd: 'subscribe' }, (error, { request, streams }) => {
          assert.equal(error, null)
          assert.deepEqual(request, { cmd: 'subscribe' })
          streams['result']!.pipe(
            collector(objects => {
              assert.deepEqual(objects, [{ a: 1 }, { b: 2 }])
              done()
            })
          )
        })
      },
      { codec: tagged }
    )

    test('the example of its README runs over TCP', async () => {
      const server = createServer(socket => {
        const instance = over(socket, make)
        instance.on('request', (request: Message, reply: Reply) => {
          reply(null, { data: 'some data', streams: { echo: request.streams['inStream']!.pipe(through()) } })
        })
      })
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      const socket = connect((server.address() as { port: number }).port, '127.0.0.1')
      const instance = over(socket, make)
      await withDeadline(
        new Promise<void>((resolve, reject) => {
          instance.request(
            { cmd: 'a request', streams: { inStream: listOf('hello', 'world') } },
            (error, result) => {
              if (error) return reject(error)
              assert.equal(result['data'], 'some data')
              result.streams['echo']!.pipe(
                collector(objects => {
                  assert.deepEqual(objects, ['hello', 'world'])
                  resolve()
                })
              )
            }
          )
        }),
        'the echo'
      )
      instance.destroy()
      await closed(server, socket)
    })
  })
}

function over(socket: Socket, make: Make): Instance {
  const instance = make()
  const duplex = instance as unknown as Duplex
  duplex.on('error', () => {})
  socket.on('error', () => {})
  duplex.pipe(socket)
  socket.pipe(duplex)
  return instance
}

async function closed(server: Server, socket: Socket): Promise<void> {
  socket.destroy()
  await new Promise(resolve => server.close(resolve))
}
