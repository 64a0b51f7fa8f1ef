// The rows of a comparison: scenarios that people meet, each with the load options that make it.

export interface RowDefinition {
  title: string
  scenario: string
  args: readonly string[]
  /** Measured unless the command names other rows. */
  usual: boolean
}

const oneAWrite = ['--window', '10', '--batch', '1']

export const ROWS: Readonly<Record<string, RowDefinition>> = {
  'fan-out': { title: '1 → 500, QoS 0, max', scenario: 'fan-out', args: [], usual: true },
  'fan-out-qos1': { title: '1 → 500, QoS 1, max', scenario: 'fan-out', args: ['--qos', '1'], usual: true },
  'fan-in': { title: '100 → 1 wildcard, QoS 0, max', scenario: 'fan-in', args: [], usual: true },
  'fan-in-qos1': {
    title: '100 → 1 wildcard, QoS 1, max',
    scenario: 'fan-in',
    args: ['--qos', '1'],
    usual: true
  },
  pairs: { title: '200 pairs, QoS 0, max', scenario: 'pairs', args: [], usual: true },
  'pairs-qos1': { title: '200 pairs, QoS 1, max', scenario: 'pairs', args: ['--qos', '1'], usual: true },
  'fan-out-4': {
    title: '1 → 500, QoS 0, 4 in flight',
    scenario: 'fan-out',
    args: ['--window', '4', '--batch', '1'],
    usual: false
  },
  'fan-out-slow': {
    title: '1 → 500, QoS 0, 100 msg/s',
    scenario: 'fan-out',
    args: ['--rate', '100'],
    usual: false
  },
  'fan-out-200-qos1': {
    title: '1 → 200, QoS 1, max',
    scenario: 'fan-out',
    args: ['--qos', '1', '--subscribers', '200'],
    usual: false
  },
  'pairs-10': {
    title: '200 pairs, QoS 0, one publish a write, 10 in flight',
    scenario: 'pairs',
    args: oneAWrite,
    usual: false
  },
  'pairs-10-qos1': {
    title: '200 pairs, QoS 1, one publish a write, 10 in flight',
    scenario: 'pairs',
    args: ['--qos', '1', ...oneAWrite],
    usual: false
  },
  latency: {
    title: '200 pairs, QoS 0, 20,000 msg/s',
    scenario: 'pairs',
    args: ['--rate', '20000'],
    usual: false
  }
}
