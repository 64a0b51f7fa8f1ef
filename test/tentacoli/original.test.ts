import { createRequire } from 'node:module'
import { type Make, tentacoliSuite } from './suite.ts'

tentacoliSuite('tentacoli 1.0', createRequire(import.meta.url)('tentacoli') as Make)
