// Random lives of one client of a session, against what MQTT says of them: whatever it loses, repeats or leaves
// unanswered, in the end it has had every message of QoS 1 and 2, those of QoS 2 once, in order; and what it has
// published at QoS 2 was published once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { QoS } from '../../broker/message.ts'
import type { Delivery } from '../../broker/sessions/delivery.ts'
import type { Session, SessionPort } from '../../broker/sessions/session.ts'
import { kept, matchOf, messageWith, World } from './bench.ts'

type Packet = readonly [
  kind: 'publish' | 'pubrel' | 'pubrec' | 'pubcomp',
  id: number,
  text: string,
  qos: number
]

/** A client with a link that loses its tail when it breaks. */
class Client implements SessionPort {
  readonly inflightMax = 3
  readonly isCongested = false
  /** On their way to the client. */
  wire: Packet[] = []
  readonly got: string[] = []
  /** QoS 2 ids whose message the client has. */
  readonly ids = new Set<number>()
  /** Its own publishes: id → what was last sent for it. */
  readonly sent = new Map<number, { text: string; released: boolean }>()
  #nextId = 0

  publish(id: number, { message, qos }: Delivery): void {
    this.wire.push(['publish', id, Buffer.from(message.payload()).toString(), qos])
  }

  pubrel(id: number): void {
    this.wire.push(['pubrel', id, '', 0])
  }

  pubrec(id: number): void {
    this.wire.push(['pubrec', id, '', 0])
  }

  pubcomp(id: number): void {
    this.wire.push(['pubcomp', id, '', 0])
  }

  /** Reads one packet; `answers`: its answer arrives. */
  read(session: Session, answers: boolean): void {
    const packet = this.wire.shift()
    if (packet === undefined) return
    const [kind, id, text, qos] = packet
    if (kind === 'publish') {
      if (qos < 2 || !this.ids.has(id)) this.got.push(text)
      if (qos === 2) this.ids.add(id)
      if (qos === 1 && answers) session.acknowledged(id)
      if (qos === 2 && answers) session.pubrec(id, 0)
    } else if (kind === 'pubrel') {
      this.ids.delete(id)
      if (answers) session.pubcomp(id)
    } else if (kind === 'pubrec') {
      const sent = this.sent.get(id)
      if (sent !== undefined) sent.released = true
      if (answers) session.pubrel(id)
    } else this.sent.delete(id)
  }

  say(session: Session, text: string): void {
    this.#nextId++
    this.sent.set(this.#nextId, { text, released: false })
    session.publish(this.#nextId, messageWith(text, 2))
  }

  /** The link broke: what was not answered is said again. [MQTT-4.4.0-1] */
  reconnect(session: Session, world: World): Client {
    const next = new Client()
    for (const text of this.got) next.got.push(text)
    for (const id of this.ids) next.ids.add(id)
    for (const [id, state] of this.sent) next.sent.set(id, state)
    next.#nextId = this.#nextId
    session.detach(this, true)
    world.time += 10
    session.attach(next, kept)
    session.start(next)
    for (const [id, { text, released }] of next.sent) {
      if (released) session.pubrel(id)
      else session.publish(id, messageWith(text, 2))
    }
    return next
  }
}

type Step = 'deliver' | 'answer' | 'silence' | 'break' | 'say' | 'settle'

const steps = fc.array(
  fc.constantFrom<Step>(
    'deliver',
    'deliver',
    'answer',
    'answer',
    'answer',
    'silence',
    'break',
    'say',
    'settle'
  ),
  { maxLength: 120 }
)

test('no life of a client loses a message, repeats one of QoS 2, or takes one out of order', () => {
  fc.assert(
    fc.property(
      steps,
      fc.array(fc.constantFrom<QoS>(1, 2), { minLength: 120, maxLength: 120 }),
      (life, qos) => {
        const world = new World()
        const session = world.session()
        let client = new Client().reconnect(session, world)
        const sent: { text: string; qos: QoS }[] = []
        const said: string[] = []
        const published: string[] = []
        const settle = (): void => {
          for (const message of world.published.splice(0)) {
            published.push(Buffer.from(message.payload()).toString())
            message.receipt?.published(message.token, 0, 1)
          }
        }
        for (const step of life) {
          if (step === 'deliver') {
            const message = { text: `m${sent.length}`, qos: qos[sent.length]! }
            sent.push(message)
            session.deliver(messageWith(message.text, message.qos), matchOf(session, 2), false)
          } else if (step === 'answer') client.read(session, true)
          else if (step === 'silence') client.read(session, false)
          else if (step === 'break') client = client.reconnect(session, world)
          else if (step === 'say') {
            said.push(`s${said.length}`)
            client.say(session, said.at(-1)!)
          } else settle()
        }
        for (let rounds = 0; rounds < 4; rounds++) {
          client = client.reconnect(session, world)
          settle()
          while (client.wire.length > 0) client.read(session, true)
        }
        const firsts = [...new Set(client.got)]
        assert.deepEqual(
          firsts,
          sent.map(({ text }) => text),
          'every message, in order'
        )
        for (const { text } of sent.filter(each => each.qos === 2))
          assert.equal(client.got.filter(got => got === text).length, 1, `${text} once`)
        assert.deepEqual(published, said, 'what it said, once and in order')
        assert.equal(
          session.inflight.count + session.received.count + session.queue.count + client.sent.size,
          0
        )
      }
    ),
    { numRuns: 500 }
  )
})
