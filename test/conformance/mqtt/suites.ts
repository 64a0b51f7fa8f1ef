// The specifications that are tried, each as a list of statements.
import { byNumber, type Statement, type Version } from './statement.ts'
import { version3 } from './v3/index.ts'
import { forwarding } from './v5/publish.ts'
import { subscribing } from './v5/subscribe.ts'

export interface Suite {
  readonly version: Version
  readonly statements: readonly Statement[]
}

/** Of 5.0 these sections so far: properties that are forwarded, subscription options. */
const version5 = [...forwarding, ...subscribing].sort(byNumber)

export const suites: readonly Suite[] = [
  { version: '3.1.1', statements: version3 },
  { version: '5.0', statements: version5 }
]
