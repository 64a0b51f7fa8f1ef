import { tentacoli } from '../../broker/tentacoli/index.ts'
import { type Instance, tentacoliSuite } from './suite.ts'

tentacoliSuite('tentacoli()', options => tentacoli(options) as unknown as Instance)
