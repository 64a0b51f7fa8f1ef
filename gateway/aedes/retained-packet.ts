// The retained packet of one topic. See session.ts for what an operation is.
import { ShoalError } from '../../broker/errors.ts'
import type { Outcome } from './session.ts'

export type RetainedOperation = { do: 'retain'; bytes: Uint8Array | null } | { do: 'retained' }

export class RetainedPacket {
  readonly topic: string
  /** Null when it was cleared. */
  bytes: Uint8Array | null = null

  constructor(topic: string) {
    this.topic = topic
  }

  get isEmpty(): boolean {
    return this.bytes === null
  }

  /** Throws BAD_REQUEST for what is no operation. */
  apply(operation: RetainedOperation): Outcome {
    if (operation.do === 'retained') return { result: this.bytes, changed: false }
    if (operation.do !== 'retain')
      throw new ShoalError('BAD_REQUEST', { operation: (operation as { do?: unknown }).do })
    const changed = operation.bytes !== null || this.bytes !== null
    this.decode(operation.bytes)
    return { result: true, changed }
  }

  encode(): Uint8Array | null {
    return this.bytes
  }

  decode(bytes: Uint8Array | null): void {
    this.bytes = bytes === null ? null : new Uint8Array(bytes)
  }

  retire(): void {}
}
