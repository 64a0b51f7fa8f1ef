// The rows of a comparison: scenarios that people meet, each with the load options that make it.

import type { FigureName } from './figures.ts'
import type { Speech } from './started.ts'

export interface RowDefinition {
  title: string
  scenario: string
  /** Brokers that do not speak it are left out. */
  speech: Speech
  args: readonly string[]
  /** Measured unless the command names other rows. */
  usual: boolean
  /** The figures that brokers are compared by, the most telling first. */
  by: readonly FigureName[]
}

const COST: readonly FigureName[] = ['cpuUsPerDelivery', 'deliveriesPerSecond']
/** At a fixed rate, all deliver the same. */
const ANSWER: readonly FigureName[] = ['p50Us', 'p99Us', 'cpuUsPerDelivery']

const oneAWrite = ['--window', '10', '--batch', '1']

export const ROWS: Readonly<Record<string, RowDefinition>> = {
  'fan-out': {
    title: '1 → 500, QoS 0, max',
    scenario: 'fan-out',
    speech: 'mqtt',
    args: [],
    usual: true,
    by: COST
  },
  'fan-out-qos1': {
    title: '1 → 500, QoS 1, max',
    scenario: 'fan-out',
    speech: 'mqtt',
    args: ['--qos', '1'],
    usual: true,
    by: COST
  },
  'fan-in': {
    title: '100 → 1 wildcard, QoS 0, max',
    scenario: 'fan-in',
    speech: 'mqtt',
    args: [],
    usual: true,
    by: COST
  },
  'fan-in-qos1': {
    title: '100 → 1 wildcard, QoS 1, max',
    scenario: 'fan-in',
    speech: 'mqtt',
    args: ['--qos', '1'],
    usual: true,
    by: COST
  },
  pairs: {
    title: '200 pairs, QoS 0, max',
    scenario: 'pairs',
    speech: 'mqtt',
    args: [],
    usual: true,
    by: COST
  },
  'pairs-qos1': {
    title: '200 pairs, QoS 1, max',
    scenario: 'pairs',
    speech: 'mqtt',
    args: ['--qos', '1'],
    usual: true,
    by: COST
  },
  'fan-out-4': {
    title: '1 → 500, QoS 0, 4 in flight',
    scenario: 'fan-out',
    speech: 'mqtt',
    args: ['--window', '4', '--batch', '1'],
    usual: false,
    by: COST
  },
  'fan-out-slow': {
    title: '1 → 500, QoS 0, 100 msg/s',
    scenario: 'fan-out',
    speech: 'mqtt',
    args: ['--rate', '100'],
    usual: false,
    by: ANSWER
  },
  'fan-out-200-qos1': {
    title: '1 → 200, QoS 1, max',
    scenario: 'fan-out',
    speech: 'mqtt',
    args: ['--qos', '1', '--subscribers', '200'],
    usual: false,
    by: COST
  },
  'pairs-10': {
    title: '200 pairs, QoS 0, one publish a write, 10 in flight',
    scenario: 'pairs',
    speech: 'mqtt',
    args: oneAWrite,
    usual: false,
    by: COST
  },
  'pairs-10-qos1': {
    title: '200 pairs, QoS 1, one publish a write, 10 in flight',
    scenario: 'pairs',
    speech: 'mqtt',
    args: ['--qos', '1', ...oneAWrite],
    usual: false,
    by: COST
  },
  latency: {
    title: '200 pairs, QoS 0, 20,000 msg/s',
    scenario: 'pairs',
    speech: 'mqtt',
    args: ['--rate', '20000'],
    usual: false,
    by: ANSWER
  },
  'latency-qos1': {
    title: '200 pairs, QoS 1, 20,000 msg/s',
    scenario: 'pairs',
    speech: 'mqtt',
    args: ['--qos', '1', '--rate', '20000'],
    usual: false,
    by: ANSWER
  },
  websocket: {
    title: '1 → 1,000 browsers, max',
    scenario: 'websocket',
    speech: 'browser',
    args: [],
    usual: false,
    by: COST
  },
  'websocket-4': {
    title: '1 → 1,000 browsers, 4 in flight',
    scenario: 'websocket',
    speech: 'browser',
    args: ['--window', '4', '--batch', '1'],
    usual: false,
    by: COST
  },
  'websocket-slow': {
    title: '1 → 1,000 browsers, 20 msg/s',
    scenario: 'websocket',
    speech: 'browser',
    args: ['--rate', '20'],
    usual: false,
    by: ANSWER
  },
  connect: {
    title: '10,000 idle connections',
    scenario: 'connect',
    speech: 'mqtt',
    args: ['--connections', '10000'],
    usual: false,
    by: ['cpuUsPerConnect', 'kibPerConnection']
  }
}
