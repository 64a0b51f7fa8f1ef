// The specifications that are tried, each as a list of statements. A version is added by a line.
import type { Statement, Version } from './statement.ts'
import { version3 } from './v3/index.ts'

export interface Suite {
  readonly version: Version
  readonly statements: readonly Statement[]
}

export const suites: readonly Suite[] = [{ version: '3.1.1', statements: version3 }]
