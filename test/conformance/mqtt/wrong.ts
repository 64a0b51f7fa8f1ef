// What servers must not put up with: packets that end the connection on which they come, and strings that do.
import { connect, PINGREQ } from './packets.ts'
import type { Trial } from './statement.ts'

/** Strings that are not UTF-8: a stray byte, an encoding that is too long, a surrogate, one cut short. */
export const ILL_FORMED: readonly Buffer[] = ['61ff', 'c0af', 'eda080', '61e282'].map(hex =>
  Buffer.from(hex, 'hex')
)

/** Each packet, on a connection of its own, sent by a client that is connected, ends the connection unanswered. */
export async function endsConnection(trial: Trial, packets: readonly Buffer[]): Promise<void> {
  await Promise.all(
    packets.map(async packet => {
      const client = await trial.connect()
      client.send(packet)
      await client.closesUnanswered().catch(error => failed(packet, error))
    })
  )
}

/** Each first packet ends its connection unanswered. */
export async function endsAtOnce(trial: Trial, packets: readonly Buffer[]): Promise<void> {
  await Promise.all(
    packets.map(async packet => {
      const client = await trial.open()
      client.send(packet)
      await client.closesUnanswered().catch(error => failed(packet, error))
    })
  )
}

/** A CONNECT that is refused with the return code, behind which nothing is answered. */
export async function isRefused(trial: Trial, packet: Buffer, code: number): Promise<void> {
  const client = await trial.open()
  client.send(packet, PINGREQ)
  const { body } = await client.next(2)
  if (body[0] !== 0 || body[1] !== code) failed(packet, new Error(`CONNACK ${body.toString('hex')}`))
  await client.closesUnanswered()
}

/** CONNECT whose flags say other than its payload holds. */
export function flagged(trial: Trial, flags: number): Buffer {
  return connect({ id: trial.id(), flags })
}

function failed(packet: Buffer, cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause)
  throw new Error(`${packet.subarray(0, 60).toString('hex')}: ${reason}`, { cause })
}
