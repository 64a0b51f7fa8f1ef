// The abstract suites that mqemitter and aedes-persistence publish for those who implement their interfaces.
import { createRequire } from 'node:module'
import type { test } from 'node:test'

const require = createRequire(import.meta.url)

export const emitterSuite = require('mqemitter/abstractTest.js') as (options: {
  test: typeof test
  builder(options?: object): object
}) => void

export const persistenceSuite = require('aedes-persistence/abstract.js') as (options: {
  test: typeof test
  persistence(): Promise<object>
  testAsync: boolean
}) => void
