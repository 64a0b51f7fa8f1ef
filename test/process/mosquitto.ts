// The command-line clients of Mosquitto, of both versions of MQTT.
import { eventually } from '../support/eventually.ts'
import { type Child, type Scope, startProgram } from '../support/process.ts'
import type { NodeProcess } from './nodes.ts'

export interface MosquittoMessage {
  readonly topic: string
  readonly qos: number
  readonly retained: boolean
  readonly text: string
}

/** Before each message, so that it is told from what `-d` prints. */
const MARK = '='

/** mosquitto_sub, for payloads of one line. */
export class MosquittoSub {
  readonly messages: MosquittoMessage[] = []
  /** When each message came, of `performance.now()`. */
  readonly atMs: number[] = []
  /** How often it was let in: more than once if it lost its connection. */
  connects = 0
  readonly child: Child

  private constructor(child: Child) {
    this.child = child
    child.onLine = ({ text, atMs }) => {
      if (/received CONNACK \(0\)/.test(text)) this.connects++
      const match = text.startsWith(MARK) ? text.match(/^=(\S+) (\d) (\d) (.*)$/) : null
      if (match === null) return
      this.messages.push({
        topic: match[1]!,
        qos: Number(match[2]),
        retained: match[3] === '1',
        text: match[4]!
      })
      this.atMs.push(atMs)
    }
  }

  /** `args` beyond address and format. Settles when it has its SUBACK. */
  static async start(scope: Scope, node: NodeProcess, args: readonly string[]): Promise<MosquittoSub> {
    const common = ['-h', '127.0.0.1', '-p', String(node.mqttPort), '-d', '-F', `${MARK}%t %q %r %p`]
    // Into a pipe it would print blocks, not lines.
    const child = startProgram(scope, 'stdbuf', ['-oL', 'mosquitto_sub', ...common, ...args])
    const sub = new MosquittoSub(child)
    await child.line(/received SUBACK/)
    return sub
  }

  /** All messages, as soon as they are so many. */
  until(count: number): Promise<readonly MosquittoMessage[]> {
    return eventually(
      `message ${count} at mosquitto_sub`,
      () => this.messages.length >= count && this.messages
    )
  }

  /** All messages, as soon as one with this text is among them. */
  untilText(text: string): Promise<readonly MosquittoMessage[]> {
    return eventually(
      `"${text}" at mosquitto_sub`,
      () => this.messages.some(each => each.text === text) && this.messages
    )
  }
}

/** mosquitto_pub with `args` beyond the address: its exit code, and what it printed. */
export async function mosquittoPub(
  scope: Scope,
  node: NodeProcess,
  args: readonly string[]
): Promise<{ code: number | string; output: string }> {
  const address = ['-h', '127.0.0.1', '-p', String(node.mqttPort)]
  const child = startProgram(scope, 'mosquitto_pub', [...address, ...args])
  const code = await child.exit()
  return { code, output: child.output }
}
