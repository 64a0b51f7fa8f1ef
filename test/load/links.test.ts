import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONTENDERS } from '../../load/links/contenders.ts'
import { linksMain } from '../../load/links/main.ts'

test('contenders answer requests and send bytes, and their figures are told', async () => {
  let text = ''
  const out = {
    write(part: string): boolean {
      text += part
      return true
    }
  }
  const names = ['link', 'tentacoli', 'package'] as const
  assert.equal(await linksMain(['--seconds', '0.1', '--rounds', '1', '--only', names.join()], out), 0)
  for (const { title } of names.map(name => CONTENDERS[name])) {
    const rows = text.split('\n').filter(line => line.startsWith(`| ${title} |`))
    assert.equal(rows.length, 2, `${title} has a row in each table`)
    for (const row of rows) assert.doesNotMatch(row, /NaN|Infinity|\| 0 \|/)
  }
})

test('a contender that there is not is refused', async () => {
  assert.equal(await linksMain(['--only', 'link,carrier-pigeon']), 2)
})
